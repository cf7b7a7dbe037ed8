/** /sys/class/net/lo. */
import { KernSymlink } from "../kernfs/link.ts";
import type { SysFilesystem } from "./filesystem.ts";

const LO = "devices/virtual/net/lo";

const ATTRIBUTES: Readonly<Record<string, string>> = {
  addr_assign_type: "0",
  addr_len: "6",
  address: "00:00:00:00:00:00",
  broadcast: "00:00:00:00:00:00",
  carrier: "1",
  carrier_changes: "0",
  dev_id: "0x0",
  dev_port: "0",
  dormant: "0",
  flags: "0x9",
  ifalias: "",
  ifindex: "1",
  iflink: "1",
  link_mode: "0",
  mtu: "65536",
  netdev_group: "0",
  operstate: "unknown",
  proto_down: "0",
  tx_queue_len: "1000",
  type: "772",
  uevent: "INTERFACE=lo\nIFINDEX=1",
};

const STATISTICS = [
  "collisions",
  "multicast",
  "rx_bytes",
  "rx_compressed",
  "rx_crc_errors",
  "rx_dropped",
  "rx_errors",
  "rx_fifo_errors",
  "rx_frame_errors",
  "rx_packets",
  "tx_aborted_errors",
  "tx_bytes",
  "tx_carrier_errors",
  "tx_compressed",
  "tx_dropped",
  "tx_errors",
  "tx_fifo_errors",
  "tx_packets",
];

export function addLoopback(fs: SysFilesystem): void {
  for (const [name, value] of Object.entries(ATTRIBUTES)) {
    fs.file(`${LO}/${name}`, () => value + "\n");
  }
  for (const name of STATISTICS) fs.file(`${LO}/statistics/${name}`, () => "0\n");
  fs.root.path(LO).add("subsystem", new KernSymlink(fs, "../../../../class/net"));
  fs.root.path("class/net").add("lo", new KernSymlink(fs, "../../devices/virtual/net/lo"));
}
