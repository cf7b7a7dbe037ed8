# setfacl, getfacl and what else knows of access control lists: on the current directory's file system and on tmpfs.
export LC_ALL=C
umask 022
shm=$(mktemp -d /dev/shm/acls.XXXX)

# The lists of everything below a place, in order of the names.
below() {
  find "$1" | sort | xargs getfacl -n 2>/dev/null
}

lists() {
  echo one >f; chmod 640 f
  setfacl -m u:1234:rw,g:4321:r f; getfacl -n f; ls -l f | cut -c1-11; stat -c %a f
  setfacl -m m::r f; getfacl -cn f; chmod g+w f; getfacl -cn f
  cp -p f kept; getfacl -cn kept; cp f plain; getfacl -cn plain; cp -a f all; getfacl -cn all
  setfacl -x u:1234 f; getfacl -cn f; setfacl -b f; getfacl -cn f; ls -l f | cut -c1-11
  getfacl -n kept | setfacl --set-file=- f; getfacl -cn f

  mkdir d; setfacl -d -m u:1234:rwx,o::- d; getfacl -cn d
  touch d/f; mkdir d/e; echo x >d/e/deep; below d; ls -lR d | grep -v total | cut -c1-11
  setfacl -k d; getfacl -cn d; setfacl -R -m u:77:rX d; below d
  mv d/e moved; getfacl -cn moved; install -m 600 f d/installed; getfacl -cn d/installed
  find . -type f -perm -060 | sort

  tar --acls -cf a.tar f d moved; mkdir x; tar --acls -xf a.tar -C x
  below x; tar --acls -tvvf a.tar | sed -n '/^  [ad]: /p'
  mkdir y; tar -xf a.tar -C y; below y

  setfacl -m u:nobody-of-that-name:r f; echo $?; setfacl -m d:u:1:r f; echo $?
  ln -s f l; getfacl -cn l; setfacl -m u:5:x l; getfacl -cn f; getfacl -cn missing; echo $?
}

mkdir here; (cd here && lists) 2>&1
(cd "$shm" && lists) 2>&1
cp -a here/moved "$shm"/again; (cd "$shm" && below again)
mv "$shm/kept" back; getfacl -cn back; rm -r "$shm"
