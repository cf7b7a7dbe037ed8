/**
 * Internet addresses and protocols (netinet/in.h): ip(7), ipv6(7). Port and address are big-endian.
 */

// Protocols
export const IPPROTO_IP = 0;
export const IPPROTO_HOPOPTS = 0;
export const IPPROTO_ICMP = 1;
export const IPPROTO_IGMP = 2;
export const IPPROTO_IPIP = 4;
export const IPPROTO_TCP = 6;
export const IPPROTO_EGP = 8;
export const IPPROTO_PUP = 12;
export const IPPROTO_UDP = 17;
export const IPPROTO_IDP = 22;
export const IPPROTO_TP = 29;
export const IPPROTO_DCCP = 33;
export const IPPROTO_IPV6 = 41;
export const IPPROTO_ROUTING = 43;
export const IPPROTO_FRAGMENT = 44;
export const IPPROTO_RSVP = 46;
export const IPPROTO_GRE = 47;
export const IPPROTO_ESP = 50;
export const IPPROTO_AH = 51;
export const IPPROTO_ICMPV6 = 58;
export const IPPROTO_NONE = 59;
export const IPPROTO_DSTOPTS = 60;
export const IPPROTO_MTP = 92;
export const IPPROTO_BEETPH = 94;
export const IPPROTO_ENCAP = 98;
export const IPPROTO_PIM = 103;
export const IPPROTO_COMP = 108;
export const IPPROTO_SCTP = 132;
export const IPPROTO_MH = 135;
export const IPPROTO_UDPLITE = 136;
export const IPPROTO_MPLS = 137;
export const IPPROTO_ETHERNET = 143;
export const IPPROTO_RAW = 255;
export const IPPROTO_MPTCP = 262;

export const INADDR_ANY = 0x0;
export const INADDR_BROADCAST = 0xffffffff;
export const INADDR_NONE = 0xffffffff;
export const INADDR_LOOPBACK = 0x7f000001;

/** struct sockaddr_in. */
export const SOCKADDR_IN_SIZE = 16;
export const SOCKADDR_IN_OFF_FAMILY = 0;
export const SOCKADDR_IN_OFF_PORT = 2;
export const SOCKADDR_IN_OFF_ADDR = 4;

/** struct sockaddr_in6. */
export const SOCKADDR_IN6_SIZE = 28;
export const SOCKADDR_IN6_OFF_FAMILY = 0;
export const SOCKADDR_IN6_OFF_PORT = 2;
export const SOCKADDR_IN6_OFF_FLOWINFO = 4;
export const SOCKADDR_IN6_OFF_ADDR = 8;
export const SOCKADDR_IN6_OFF_SCOPE_ID = 24;
