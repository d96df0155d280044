//! Names and interfaces of the host.

use super::{Command, command};
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::sections::Section;
use crate::tool::Tools;
use serde_json::{Map, Value, json};
use std::fs;
use std::net::{IpAddr, Ipv6Addr, ToSocketAddrs};

pub(super) const COMMANDS: &[Command] = &[
    command(
        "resolve_hostname",
        (1, 1),
        "<hostname> [--address-family <ipv4 | ipv6>]",
        "Resolves a name to addresses, on this host",
        resolve,
    )
    .of(Tools::DIAGNOSTICS)
    .under(Section::Configuration),
    command("resolver_info", (0, 0), "", "Shows how names are resolved on this host", resolver)
        .of(Tools::DIAGNOSTICS)
        .under(Section::Configuration),
    command(
        "list_network_interfaces",
        (0, 0),
        "[--timeout <timeout>]",
        "Lists network interfaces of this host",
        interfaces,
    )
    .of(Tools::DIAGNOSTICS),
];

fn resolve(context: &Context<'_>) -> Result<(), Failure> {
    let host = context.argument(0);
    let family = context.option("address-family").unwrap_or("IPv4");
    let wants_v6 = match family.to_ascii_lowercase().as_str() {
        "ipv4" | "inet" => false,
        "ipv6" | "inet6" => true,
        _ => {
            let problem = "\"unsupported address family. Valid values are: ipv4, ipv6\"";
            return Err(context.invalid(problem, exit::USAGE));
        }
    };
    context.banner(&format!(
        "Asking node {} to resolve hostname {host} to {family} addresses...",
        context.option("node").or(context.node_name().ok()).unwrap_or("here")
    ))?;
    let found = (host, 0).to_socket_addrs().ok().into_iter().flatten();
    let mut addresses: Vec<IpAddr> =
        found.map(|address| address.ip()).filter(|address| address.is_ipv6() == wants_v6).collect();
    addresses.dedup();
    if addresses.is_empty() {
        let text = "Hostname does not resolve (resolution failed with an nxdomain)";
        return Err(Failure::error(exit::DATA_ERROR, text));
    }
    let lines: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    context.result(&json!({ "addresses": lines }), &lines.join("\n"))
}

fn resolver(context: &Context<'_>) -> Result<(), Failure> {
    let order = fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
    let order = order.lines().find_map(|line| line.strip_prefix("hosts:")).unwrap_or("native").trim().to_owned();
    let text = format!(
        "\x1b[1mRuntime Hostname Resolver Settings\x1b[0m\n\nLookup order: {order}\nHosts file: /etc/hosts\n\
         Resolver conf file: /etc/resolv.conf"
    );
    let object = json!({ "lookup": order, "hosts_file": "/etc/hosts", "resolv_conf": "/etc/resolv.conf" });
    context.result(&object, &text)
}

/// An interface: its hardware address, its addresses and what it can do.
#[derive(Debug, Default)]
struct Interface {
    name: String,
    hardware: String,
    addresses: Vec<String>,
    flags: Vec<&'static str>,
}

impl Interface {
    fn json(&self) -> Value {
        json!({ "addr": self.addresses, "flags": self.flags, "hwaddr": self.hardware })
    }

    fn describe(&self) -> String {
        let addresses: String = self.addresses.iter().map(|address| format!("addr: {address}\n")).collect();
        format!(
            "\x1b[1mInterface {}\x1b[0m\n\nhwaddr: {}\n{addresses}flags: {}\n",
            self.name,
            self.hardware,
            self.flags.join(", ")
        )
    }
}

fn interfaces(context: &Context<'_>) -> Result<(), Failure> {
    context.banner("Asking this host to report its network interfaces ...")?;
    let v6 = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let v4 = ipv4_addresses(&fs::read_to_string("/proc/net/fib_trie").unwrap_or_default());
    let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let mut all: Vec<Interface> = fs::read_dir("/sys/class/net")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let read = |file: &str| fs::read_to_string(entry.path().join(file)).unwrap_or_default().trim().to_owned();
            let mut addresses = ipv6_addresses(&v6, &name);
            addresses.extend(of_interface(&v4, &routes, &name));
            let flags = u32::from_str_radix(read("flags").trim_start_matches("0x"), 16).unwrap_or_default();
            Interface { hardware: read("address").to_uppercase(), addresses, flags: flag_names(flags), name }
        })
        .collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    let object: Map<String, Value> = all.iter().map(|each| (each.name.clone(), each.json())).collect();
    let text: Vec<String> = all.iter().map(Interface::describe).collect();
    context.result(&json!({ "interfaces": object }), &text.join("\n"))
}

/// The bits of `IFF_`.
fn flag_names(flags: u32) -> Vec<&'static str> {
    let known = [
        (0x1, "up"),
        (0x2, "broadcast"),
        (0x8, "loopback"),
        (0x10, "pointtopoint"),
        (0x40, "running"),
        (0x1000, "multicast"),
    ];
    known.into_iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| name).collect()
}

/// The lines of `/proc/net/if_inet6` end with the interface and begin with 32 hexadecimal digits.
fn ipv6_addresses(table: &str, name: &str) -> Vec<String> {
    let own = table.lines().filter(|line| line.split_whitespace().last() == Some(name));
    own.filter_map(|line| line.split_whitespace().next())
        .filter_map(|digits| u128::from_str_radix(digits, 16).ok())
        .map(|bits| Ipv6Addr::from_bits(bits).to_string())
        .collect()
}

/// The local addresses of `/proc/net/fib_trie`: each stands in the line before `/32 host LOCAL`.
fn ipv4_addresses(trie: &str) -> Vec<std::net::Ipv4Addr> {
    let mut found = Vec::new();
    let mut last = "";
    for line in trie.lines() {
        if line.contains("/32 host LOCAL") {
            found.extend(last.trim().trim_start_matches("|-- ").parse::<std::net::Ipv4Addr>());
        }
        last = line;
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Those addresses that are in a network which is routed to the interface.
fn of_interface(addresses: &[std::net::Ipv4Addr], routes: &str, name: &str) -> Vec<String> {
    let networks: Vec<(u32, u32)> = routes
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let word = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok().map(u32::swap_bytes);
            (fields.first() == Some(&name)).then(|| Some((word(1)?, word(7)?))).flatten()
        })
        .filter(|(_, mask)| *mask != 0)
        .collect();
    let is_own = |address: &std::net::Ipv4Addr| match name {
        "lo" => address.is_loopback(),
        _ => networks.iter().any(|(network, mask)| address.to_bits() & mask == *network),
    };
    addresses.iter().filter(|address| is_own(address)).map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_the_kernels_tables() {
        let trie = "  +-- 127.0.0.0/8 2 0 2\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 192.0.2.2\n        /32 host LOCAL\n";
        let routes =
            "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t000200C0\t0\t1\t0\t0\t0\t00FFFFFF\n";
        let all = ipv4_addresses(trie);
        assert_eq!(of_interface(&all, routes, "lo"), ["127.0.0.1"]);
        assert_eq!(of_interface(&all, routes, "eth0"), ["192.0.2.2"]);
        assert_eq!(ipv6_addresses("00000000000000000000000000000001 01 80 10 80       lo\n", "lo"), ["::1"]);
    }
}
