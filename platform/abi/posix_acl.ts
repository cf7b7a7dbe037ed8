/**
 * POSIX access control lists and their extended attributes (linux/posix_acl.h,
 * linux/posix_acl_xattr.h): acl(5).
 */

/** What is no user's and no group's id. */
export const ACL_UNDEFINED_ID = -1;

// Which of an inode's two lists
export const ACL_TYPE_ACCESS = 0x8000;
export const ACL_TYPE_DEFAULT = 0x4000;

// e_tag
export const ACL_USER_OBJ = 0x01;
export const ACL_USER = 0x02;
export const ACL_GROUP_OBJ = 0x04;
export const ACL_GROUP = 0x08;
export const ACL_MASK = 0x10;
export const ACL_OTHER = 0x20;

// e_perm
export const ACL_READ = 0x04;
export const ACL_WRITE = 0x02;
export const ACL_EXECUTE = 0x01;

/** a_version, the only word of the value's header (struct posix_acl_xattr_header). */
export const POSIX_ACL_XATTR_VERSION = 2;
export const POSIX_ACL_XATTR_HEADER_SIZE = 4;
/** struct posix_acl_xattr_entry: e_tag and e_perm of 16 bits, e_id of 32. */
export const POSIX_ACL_XATTR_ENTRY_SIZE = 8;
