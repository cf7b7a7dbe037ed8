# git: a repository's life.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@x GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@x
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000' GIT_PAGER=cat
set -e
git init -q -b main r; cd r
mkdir d; i=0; while [ $i -lt 100 ]; do echo "content $i" >d/f$i; i=$((i+1)); done; echo readme >README; ln -s README link; chmod +x d/f1
git status --short | sort; git add -A; git status -s | wc -l; git commit -q -m first; git log --oneline; git rev-parse HEAD
git checkout -q -b side; echo side >>README; git commit -qam side; git checkout -q main; echo main >>d/f0; git commit -qam main
git merge -q --no-edit side; git log --graph --format='%h %s'; git diff HEAD~1 --stat | tail -1
echo conflict-a >README; git commit -qam ca; git checkout -q side; echo conflict-b >README; git commit -qam cb
git merge main >/dev/null 2>&1 || git status --short; git checkout -q --theirs README; git add README; git commit -q -m merged; cat README
git tag -a v1 -m tag; git describe; git show --stat --format=%s HEAD | head; git blame -s README | cut -c10-
echo dirty >>d/f5; git stash -q; git stash list; git stash pop -q; git diff --name-only; git checkout -q -- d/f5
git mv d/f9 d/nine; git rm -q d/f8; git commit -qm moved; git log --follow --oneline d/nine | wc -l
cd ..; git clone -q r c; cd c; git log --oneline | wc -l; git branch -a | sort; echo x >new; git add new; git commit -qm new; git push -q origin HEAD:refs/heads/pushed; cd ../r; git log -1 --format=%s pushed
git gc -q; git count-objects -v | grep -E '^(count|in-pack|packs)'; git fsck --full 2>&1 | sed /dangling/d; git repack -adq; git verify-pack .git/objects/pack/*.idx && echo verified
git archive HEAD | tar -t | wc -l; git worktree add -q ../w side 2>/dev/null || git worktree add -q ../w main; ls ../w | wc -l; git grep -c content -- "d/f1*" | wc -l; git bisect start HEAD HEAD~2 >/dev/null; git bisect reset >/dev/null 2>/dev/null
git format-patch -q -1 --stdout | git apply --check -R && echo applies; git rebase -q main >/dev/null 2>&1 || git rebase --abort; git status -sb | head -1; git reflog | wc -l; git hash-object README; git ls-files -s | md5sum
GIT_TRACE=0 git -c core.pager=cat --no-pager diff --no-index /etc/hostname README >/dev/null || echo differs
cd ..; git clone -q --bare r b.git; git clone -q --depth 1 "file://$PWD/b.git" shallow; git -C shallow log --oneline | wc -l
