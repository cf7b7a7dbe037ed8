/** sysfs. */
import { SYSFS_MAGIC } from "../../../platform/abi/mount.ts";
import type { Credentials } from "../../auth/credentials.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { allocateAnonymousDev } from "../../vfs/anon.ts";
import { type Filesystem, type FilesystemType, STORED_XATTRS } from "../../vfs/inode.ts";
import { KernDir } from "../kernfs/dir.ts";
import { KernFilesystem } from "../kernfs/inode.ts";
import { addCpus, addNode } from "./cpu.ts";
import { SysFile } from "./file.ts";
import { addLoopback } from "./net.ts";

const HUGE_PAGE_FILES = [
  "free_hugepages",
  "nr_hugepages",
  "nr_hugepages_mempolicy",
  "nr_overcommit_hugepages",
  "resv_hugepages",
  "surplus_hugepages",
];

/** Directories that exist to be mounted on, or to be found empty. */
const EMPTY_DIRECTORIES = [
  "block",
  "bus/cpu/devices",
  "bus/node/devices",
  "bus/pci/devices",
  "bus/usb/devices",
  "class/block",
  "class/mem",
  "class/net",
  "class/tty",
  "dev/block",
  "dev/char",
  "devices/virtual",
  "firmware",
  "fs/bpf",
  "fs/cgroup",
  "fs/pstore",
  "kernel/debug",
  "kernel/security",
  "kernel/tracing",
  "module",
  "power",
];

export class SysFilesystem extends KernFilesystem {
  override readonly typeName = "sysfs";
  override readonly xattrNames = STORED_XATTRS;
  override readonly magic = SYSFS_MAGIC;
  override readonly dirMode = 0o755;
  override readonly root: KernDir;

  constructor(kernel: Kernel) {
    super(kernel, allocateAnonymousDev());
    this.root = new KernDir(this, 0o555);
    for (const path of EMPTY_DIRECTORIES) this.root.path(path);
    addCpus(this);
    addNode(this);
    addLoopback(this);
    this.#addMemory();
    this.file("kernel/uevent_seqnum", () => "0\n");
    this.file("kernel/fscaps", () => "1\n");
    this.file("kernel/address_bits", () => "64\n");
    this.file("kernel/cpu_byteorder", () => "little\n");
    this.file("power/state", () => "\n");
  }

  /** Adds a file, with the directories above it. */
  file(path: string, generate: () => string, mode = 0o444): void {
    const slash = path.lastIndexOf("/");
    this.root.path(path.slice(0, slash)).addFile(
      path.slice(slash + 1),
      () => new SysFile(this, mode, generate),
    );
  }

  #addMemory(): void {
    const thp = "kernel/mm/transparent_hugepage";
    this.file(`${thp}/enabled`, () => "always [madvise] never\n", 0o644);
    this.file(`${thp}/defrag`, () => "always defer defer+madvise [madvise] never\n", 0o644);
    this.file(
      `${thp}/shmem_enabled`,
      () => "always within_size advise [never] deny force\n",
      0o644,
    );
    this.file(`${thp}/hpage_pmd_size`, () => "2097152\n");
    this.file(`${thp}/use_zero_page`, () => "1\n", 0o644);
    this.file(`${thp}/khugepaged/defrag`, () => "1\n", 0o644);
    for (const name of HUGE_PAGE_FILES) {
      this.file(`kernel/mm/hugepages/hugepages-2048kB/${name}`, () => "0\n", 0o644);
    }
  }
}

export class SysType implements FilesystemType {
  readonly name = "sysfs";

  constructor(private readonly kernel: Kernel) {}

  mount(_source: string, _options: string, _creds: Credentials): Filesystem | number {
    return new SysFilesystem(this.kernel);
  }
}
