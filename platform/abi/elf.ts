/**
 * ELF, 64-bit (linux/elf.h), and the auxiliary vector (linux/auxvec.h): elf(5), getauxval(3).
 */

import { getI64, getU64, setI64, setU64, zero } from "./bytes.ts";

// Identification
export const EI_NIDENT = 16;
export const EI_MAG0 = 0;
export const EI_MAG1 = 1;
export const EI_MAG2 = 2;
export const EI_MAG3 = 3;
export const EI_CLASS = 4;
export const EI_DATA = 5;
export const EI_VERSION = 6;
export const EI_OSABI = 7;
export const EI_PAD = 8;
export const ELFMAG0 = 127;
export const ELFMAG1 = 69;
export const ELFMAG2 = 76;
export const ELFMAG3 = 70;
export const ELFCLASSNONE = 0;
export const ELFCLASS32 = 1;
export const ELFCLASS64 = 2;
export const ELFCLASSNUM = 3;
export const ELFDATANONE = 0;
export const ELFDATA2LSB = 1;
export const ELFDATA2MSB = 2;
export const EV_NONE = 0;
export const EV_CURRENT = 1;
export const EV_NUM = 2;
export const ELFOSABI_NONE = 0;
export const ELFOSABI_LINUX = 3;
export const SELFMAG = 4;

// File types
export const ET_NONE = 0;
export const ET_REL = 1;
export const ET_EXEC = 2;
export const ET_DYN = 3;
export const ET_CORE = 4;
export const ET_LOPROC = 65280;
export const ET_HIPROC = 65535;

// Machines
export const EM_NONE = 0;
export const EM_386 = 3;
export const EM_ARM = 40;
export const EM_X86_64 = 62;
export const EM_AARCH64 = 183;
export const EM_RISCV = 243;

// Segment types
export const PT_NULL = 0;
export const PT_LOAD = 1;
export const PT_DYNAMIC = 2;
export const PT_INTERP = 3;
export const PT_NOTE = 4;
export const PT_SHLIB = 5;
export const PT_PHDR = 6;
export const PT_TLS = 7;
export const PT_LOOS = 0x60000000;
export const PT_HIOS = 0x6fffffff;
export const PT_LOPROC = 0x70000000;
export const PT_HIPROC = 0x7fffffff;
export const PT_GNU_EH_FRAME = 0x6474e550;
export const PT_GNU_STACK = 0x6474e551;
export const PT_GNU_RELRO = 0x6474e552;
export const PT_GNU_PROPERTY = 0x6474e553;

// Segment flags
export const PF_R = 4;
export const PF_W = 2;
export const PF_X = 1;

// Extended numbering
export const PN_XNUM = 0xffff;

// Sections
export const SHT_NULL = 0;
export const SHT_PROGBITS = 1;
export const SHT_SYMTAB = 2;
export const SHT_STRTAB = 3;
export const SHT_RELA = 4;
export const SHT_HASH = 5;
export const SHT_DYNAMIC = 6;
export const SHT_NOTE = 7;
export const SHT_NOBITS = 8;
export const SHT_REL = 9;
export const SHT_SHLIB = 10;
export const SHT_DYNSYM = 11;
export const SHT_NUM = 12;
export const SHT_LOPROC = 0x70000000;
export const SHT_HIPROC = 0x7fffffff;
export const SHT_LOUSER = 0x80000000;
export const SHT_HIUSER = 0xffffffff;
export const SHF_WRITE = 1;
export const SHF_ALLOC = 2;
export const SHF_EXECINSTR = 4;
export const SHN_UNDEF = 0;
export const SHN_ABS = 0xfff1;
export const SHN_COMMON = 0xfff2;

// Dynamic section
export const DT_NULL = 0;
export const DT_NEEDED = 1;
export const DT_PLTRELSZ = 2;
export const DT_PLTGOT = 3;
export const DT_HASH = 4;
export const DT_STRTAB = 5;
export const DT_SYMTAB = 6;
export const DT_RELA = 7;
export const DT_RELASZ = 8;
export const DT_RELAENT = 9;
export const DT_STRSZ = 10;
export const DT_SYMENT = 11;
export const DT_INIT = 12;
export const DT_FINI = 13;
export const DT_SONAME = 14;
export const DT_RPATH = 15;
export const DT_SYMBOLIC = 16;
export const DT_REL = 17;
export const DT_RELSZ = 18;
export const DT_RELENT = 19;
export const DT_PLTREL = 20;
export const DT_DEBUG = 21;
export const DT_TEXTREL = 22;
export const DT_JMPREL = 23;
export const DT_ENCODING = 32;
export const DT_RELACOUNT = 0x6ffffff9;
export const DT_RELCOUNT = 0x6ffffffa;
export const DT_FLAGS_1 = 0x6ffffffb;

// Notes
export const NT_PRSTATUS = 1;
export const NT_PRFPREG = 2;
export const NT_PRPSINFO = 3;
export const NT_TASKSTRUCT = 4;
export const NT_AUXV = 6;
export const NT_SIGINFO = 0x53494749;
export const NT_FILE = 0x46494c45;
export const NT_X86_XSTATE = 0x202;
export const NT_GNU_PROPERTY_TYPE_0 = 5;

// Auxiliary vector
export const AT_NULL = 0;
export const AT_IGNORE = 1;
export const AT_EXECFD = 2;
export const AT_PHDR = 3;
export const AT_PHENT = 4;
export const AT_PHNUM = 5;
export const AT_PAGESZ = 6;
export const AT_BASE = 7;
export const AT_FLAGS = 8;
export const AT_ENTRY = 9;
export const AT_NOTELF = 10;
export const AT_UID = 11;
export const AT_EUID = 12;
export const AT_GID = 13;
export const AT_EGID = 14;
export const AT_PLATFORM = 15;
export const AT_HWCAP = 16;
export const AT_CLKTCK = 17;
export const AT_SECURE = 23;
export const AT_BASE_PLATFORM = 24;
export const AT_RANDOM = 25;
export const AT_HWCAP2 = 26;
export const AT_RSEQ_FEATURE_SIZE = 27;
export const AT_RSEQ_ALIGN = 28;
export const AT_EXECFN = 31;
export const AT_SYSINFO_EHDR = 33;
export const AT_MINSIGSTKSZ = 51;

/** Elf64_Ehdr, the file header. */
export const ELF64_EHDR_SIZE = 64;
export const ELF64_EHDR_OFF_IDENT = 0;
export const ELF64_EHDR_OFF_TYPE = 16;
export const ELF64_EHDR_OFF_MACHINE = 18;
export const ELF64_EHDR_OFF_VERSION = 20;
export const ELF64_EHDR_OFF_ENTRY_ADDR = 24;
export const ELF64_EHDR_OFF_PHOFF = 32;
export const ELF64_EHDR_OFF_SHOFF = 40;
export const ELF64_EHDR_OFF_FLAGS = 48;
export const ELF64_EHDR_OFF_EHSIZE = 52;
export const ELF64_EHDR_OFF_PHENTSIZE = 54;
export const ELF64_EHDR_OFF_PHNUM = 56;
export const ELF64_EHDR_OFF_SHENTSIZE = 58;
export const ELF64_EHDR_OFF_SHNUM = 60;
export const ELF64_EHDR_OFF_SHSTRNDX = 62;

/** Elf64_Phdr, a program header. */
export const ELF64_PHDR_SIZE = 56;
export const ELF64_PHDR_OFF_TYPE = 0;
export const ELF64_PHDR_OFF_FLAGS = 4;
export const ELF64_PHDR_OFF_OFFSET = 8;
export const ELF64_PHDR_OFF_VADDR = 16;
export const ELF64_PHDR_OFF_PADDR = 24;
export const ELF64_PHDR_OFF_FILESZ = 32;
export const ELF64_PHDR_OFF_MEMSZ = 40;
export const ELF64_PHDR_OFF_ALIGN = 48;

export interface Elf64Phdr {
  type: number;
  flags: number;
  offset: number;
  vaddr: number;
  paddr: number;
  filesz: number;
  memsz: number;
  align: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putElf64Phdr(v: DataView, off: number, s: Elf64Phdr): void {
  zero(v, off, ELF64_PHDR_SIZE);
  v.setUint32(off + ELF64_PHDR_OFF_TYPE, s.type, true);
  v.setUint32(off + ELF64_PHDR_OFF_FLAGS, s.flags, true);
  setU64(v, off + ELF64_PHDR_OFF_OFFSET, s.offset);
  setU64(v, off + ELF64_PHDR_OFF_VADDR, s.vaddr);
  setU64(v, off + ELF64_PHDR_OFF_PADDR, s.paddr);
  setU64(v, off + ELF64_PHDR_OFF_FILESZ, s.filesz);
  setU64(v, off + ELF64_PHDR_OFF_MEMSZ, s.memsz);
  setU64(v, off + ELF64_PHDR_OFF_ALIGN, s.align);
}

export function getElf64Phdr(v: DataView, off: number): Elf64Phdr {
  return {
    type: v.getUint32(off + ELF64_PHDR_OFF_TYPE, true),
    flags: v.getUint32(off + ELF64_PHDR_OFF_FLAGS, true),
    offset: getU64(v, off + ELF64_PHDR_OFF_OFFSET),
    vaddr: getU64(v, off + ELF64_PHDR_OFF_VADDR),
    paddr: getU64(v, off + ELF64_PHDR_OFF_PADDR),
    filesz: getU64(v, off + ELF64_PHDR_OFF_FILESZ),
    memsz: getU64(v, off + ELF64_PHDR_OFF_MEMSZ),
    align: getU64(v, off + ELF64_PHDR_OFF_ALIGN),
  };
}

/** Elf64_Shdr, a section header. */
export const ELF64_SHDR_SIZE = 64;
export const ELF64_SHDR_OFF_NAME = 0;
export const ELF64_SHDR_OFF_TYPE = 4;
export const ELF64_SHDR_OFF_FLAGS = 8;
export const ELF64_SHDR_OFF_ADDR = 16;
export const ELF64_SHDR_OFF_OFFSET = 24;
export const ELF64_SHDR_OFF_SIZE = 32;
export const ELF64_SHDR_OFF_LINK = 40;
export const ELF64_SHDR_OFF_INFO = 44;
export const ELF64_SHDR_OFF_ADDRALIGN = 48;
export const ELF64_SHDR_OFF_ENTSIZE = 56;

export interface Elf64Shdr {
  name: number;
  type: number;
  flags: number;
  addr: number;
  offset: number;
  size: number;
  link: number;
  info: number;
  addralign: number;
  entsize: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putElf64Shdr(v: DataView, off: number, s: Elf64Shdr): void {
  zero(v, off, ELF64_SHDR_SIZE);
  v.setUint32(off + ELF64_SHDR_OFF_NAME, s.name, true);
  v.setUint32(off + ELF64_SHDR_OFF_TYPE, s.type, true);
  setU64(v, off + ELF64_SHDR_OFF_FLAGS, s.flags);
  setU64(v, off + ELF64_SHDR_OFF_ADDR, s.addr);
  setU64(v, off + ELF64_SHDR_OFF_OFFSET, s.offset);
  setU64(v, off + ELF64_SHDR_OFF_SIZE, s.size);
  v.setUint32(off + ELF64_SHDR_OFF_LINK, s.link, true);
  v.setUint32(off + ELF64_SHDR_OFF_INFO, s.info, true);
  setU64(v, off + ELF64_SHDR_OFF_ADDRALIGN, s.addralign);
  setU64(v, off + ELF64_SHDR_OFF_ENTSIZE, s.entsize);
}

export function getElf64Shdr(v: DataView, off: number): Elf64Shdr {
  return {
    name: v.getUint32(off + ELF64_SHDR_OFF_NAME, true),
    type: v.getUint32(off + ELF64_SHDR_OFF_TYPE, true),
    flags: getU64(v, off + ELF64_SHDR_OFF_FLAGS),
    addr: getU64(v, off + ELF64_SHDR_OFF_ADDR),
    offset: getU64(v, off + ELF64_SHDR_OFF_OFFSET),
    size: getU64(v, off + ELF64_SHDR_OFF_SIZE),
    link: v.getUint32(off + ELF64_SHDR_OFF_LINK, true),
    info: v.getUint32(off + ELF64_SHDR_OFF_INFO, true),
    addralign: getU64(v, off + ELF64_SHDR_OFF_ADDRALIGN),
    entsize: getU64(v, off + ELF64_SHDR_OFF_ENTSIZE),
  };
}

/** Elf64_Sym, a symbol. */
export const ELF64_SYM_SIZE = 24;
export const ELF64_SYM_OFF_NAME = 0;
export const ELF64_SYM_OFF_INFO = 4;
export const ELF64_SYM_OFF_OTHER = 5;
export const ELF64_SYM_OFF_SHNDX = 6;
export const ELF64_SYM_OFF_VALUE = 8;
export const ELF64_SYM_OFF_SIZE = 16;

export interface Elf64Sym {
  name: number;
  info: number;
  other: number;
  shndx: number;
  value: number;
  size: number;
}

/** Writes every field; padding and reserved bytes are set to zero. */
export function putElf64Sym(v: DataView, off: number, s: Elf64Sym): void {
  zero(v, off, ELF64_SYM_SIZE);
  v.setUint32(off + ELF64_SYM_OFF_NAME, s.name, true);
  v.setUint8(off + ELF64_SYM_OFF_INFO, s.info);
  v.setUint8(off + ELF64_SYM_OFF_OTHER, s.other);
  v.setUint16(off + ELF64_SYM_OFF_SHNDX, s.shndx, true);
  setU64(v, off + ELF64_SYM_OFF_VALUE, s.value);
  setU64(v, off + ELF64_SYM_OFF_SIZE, s.size);
}

export function getElf64Sym(v: DataView, off: number): Elf64Sym {
  return {
    name: v.getUint32(off + ELF64_SYM_OFF_NAME, true),
    info: v.getUint8(off + ELF64_SYM_OFF_INFO),
    other: v.getUint8(off + ELF64_SYM_OFF_OTHER),
    shndx: v.getUint16(off + ELF64_SYM_OFF_SHNDX, true),
    value: getU64(v, off + ELF64_SYM_OFF_VALUE),
    size: getU64(v, off + ELF64_SYM_OFF_SIZE),
  };
}

/** Elf64_Dyn, an entry of the dynamic section. */
export const ELF64_DYN_SIZE = 16;
export const ELF64_DYN_OFF_TAG = 0;
export const ELF64_DYN_OFF_VAL = 8;

export interface Elf64Dyn {
  tag: number;
  val: number;
}

export function putElf64Dyn(v: DataView, off: number, tag: number, val: number): void {
  setI64(v, off + ELF64_DYN_OFF_TAG, tag);
  setU64(v, off + ELF64_DYN_OFF_VAL, val);
}

export function getElf64Dyn(v: DataView, off: number): Elf64Dyn {
  return {
    tag: getI64(v, off + ELF64_DYN_OFF_TAG),
    val: getU64(v, off + ELF64_DYN_OFF_VAL),
  };
}

/** Elf64_Rela, a relocation. */
export const ELF64_RELA_SIZE = 24;
export const ELF64_RELA_OFF_OFFSET = 0;
export const ELF64_RELA_OFF_INFO = 8;
export const ELF64_RELA_OFF_ADDEND = 16;

export interface Elf64Rela {
  offset: number;
  infoLo: number;
  infoHi: number;
  addend: number;
}

export function putElf64Rela(
  v: DataView,
  off: number,
  offset: number,
  infoLo: number,
  infoHi: number,
  addend: number,
): void {
  setU64(v, off + ELF64_RELA_OFF_OFFSET, offset);
  v.setUint32(off + ELF64_RELA_OFF_INFO, infoLo, true);
  v.setUint32(off + ELF64_RELA_OFF_INFO + 4, infoHi, true);
  setI64(v, off + ELF64_RELA_OFF_ADDEND, addend);
}

export function getElf64Rela(v: DataView, off: number): Elf64Rela {
  return {
    offset: getU64(v, off + ELF64_RELA_OFF_OFFSET),
    infoLo: v.getUint32(off + ELF64_RELA_OFF_INFO, true),
    infoHi: v.getUint32(off + ELF64_RELA_OFF_INFO + 4, true),
    addend: getI64(v, off + ELF64_RELA_OFF_ADDEND),
  };
}

/** An auxiliary vector entry: type, value. */
export const ELF64_AUXV_SIZE = 16;

/** Fields of Elf64_Ehdr without e_ident. */
export interface Elf64Ehdr {
  type: number;
  machine: number;
  version: number;
  entryAddr: number;
  phoff: number;
  shoff: number;
  flags: number;
  ehsize: number;
  phentsize: number;
  phnum: number;
  shentsize: number;
  shnum: number;
  shstrndx: number;
}

/** Reads the file header; e_ident is the caller's to check. */
export function getElf64Ehdr(v: DataView, off: number): Elf64Ehdr {
  return {
    type: v.getUint16(off + ELF64_EHDR_OFF_TYPE, true),
    machine: v.getUint16(off + ELF64_EHDR_OFF_MACHINE, true),
    version: v.getUint32(off + ELF64_EHDR_OFF_VERSION, true),
    entryAddr: getU64(v, off + ELF64_EHDR_OFF_ENTRY_ADDR),
    phoff: getU64(v, off + ELF64_EHDR_OFF_PHOFF),
    shoff: getU64(v, off + ELF64_EHDR_OFF_SHOFF),
    flags: v.getUint32(off + ELF64_EHDR_OFF_FLAGS, true),
    ehsize: v.getUint16(off + ELF64_EHDR_OFF_EHSIZE, true),
    phentsize: v.getUint16(off + ELF64_EHDR_OFF_PHENTSIZE, true),
    phnum: v.getUint16(off + ELF64_EHDR_OFF_PHNUM, true),
    shentsize: v.getUint16(off + ELF64_EHDR_OFF_SHENTSIZE, true),
    shnum: v.getUint16(off + ELF64_EHDR_OFF_SHNUM, true),
    shstrndx: v.getUint16(off + ELF64_EHDR_OFF_SHSTRNDX, true),
  };
}
