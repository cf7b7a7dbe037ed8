/** /proc/net: tables of sockets and interfaces. Owners of sockets set the texts of theirs. */
import { KernDir } from "../kernfs/dir.ts";
import type { KernFilesystem } from "../kernfs/inode.ts";
import { KernText } from "../kernfs/text.ts";

const DEV = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
`;

/** Column heads of a table without rows, by name. */
const TABLES: Readonly<Record<string, string>> = {
  dev: DEV,
  unix: "Num       RefCount Protocol Flags    Type St Inode Path\n",
  tcp:
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode" +
    " ".repeat(53) + "\n",
  tcp6:
    "  sl  local_address                         remote_address                        st tx_queue" +
    " rx_queue tr tm->when retrnsmt   uid  timeout inode\n",
  udp:
    "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout" +
    " inode ref pointer drops            \n",
  udp6:
    "  sl  local_address                         remote_address                        st tx_queue" +
    " rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n",
  udplite:
    "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout" +
    " inode ref pointer drops            \n",
  raw:
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout" +
    " inode ref pointer drops\n",
  raw6:
    "  sl  local_address                         remote_address                        st tx_queue" +
    " rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n",
  route: "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT" +
    " ".repeat(55) + "\n",
  ipv6_route: "",
  arp: "IP address       HW type     Flags       HW address            Mask     Device\n",
  if_inet6: "00000000000000000000000000000001 01 80 10 80       lo\n",
  packet: "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n",
  netlink:
    "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n",
  ptype: "Type Device      Function\n",
  protocols:
    "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs" +
    " se re bi br ha uh gp em\n",
  sockstat: "sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\nUDP: inuse 0 mem 0\n" +
    "UDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n",
  sockstat6:
    "TCP6: inuse 0\nUDP6: inuse 0\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n",
  snmp:
    "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos" +
    " InDiscards InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs" +
    " ReasmFails FragOKs FragFails FragCreates OutTransmits\n" +
    "Ip: 2 64 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n" +
    "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets" +
    " CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n" +
    "Tcp: 1 200 120000 -1 0 0 0 0 0 0 0 0 0 0 0\n" +
    "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors" +
    " IgnoredMulti MemErrors\nUdp: 0 0 0 0 0 0 0 0 0\n",
  netstat: "",
  snmp6: "",
  psched: "000003e8 00000040 000f4240 3b9aca00\n",
  softnet_stat: "",
  wireless: "",
  igmp: "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n",
  dev_mcast: "",
  fib_trie: "",
};

const texts = new Map<string, () => string>();

/** Sets the whole text of /proc/net/NAME ("unix", "tcp", …), heads included. */
export function setNetText(name: string, generate: () => string): void {
  texts.set(name, generate);
}

/** The column heads of a table, for those who add rows. */
export function netTableHead(name: string): string {
  return TABLES[name] ?? "";
}

export function newNetDir(fs: KernFilesystem): KernDir {
  const dir = new KernDir(fs);
  for (const [name, head] of Object.entries(TABLES)) {
    dir.addFile(name, () => new KernText(fs, 0o444, () => texts.get(name)?.() ?? head));
  }
  return dir;
}
