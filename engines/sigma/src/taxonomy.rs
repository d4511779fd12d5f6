//! Which log sources a Windows event belongs to, and the names of Sigma for fields that it names otherwise.
//!
//! An event belongs to its channel's service and to each category its number stands for there: number 13 of
//! Sysmon is `registry_set` and `registry_event`. Events of other systems say where they come from by
//! [`Arena::set_sources`].

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use crate::{
    arena::{Arena, Kind, name_hash},
    document::LogSource,
    fold::folded,
    number::Num,
};

const SYSMON: &str = "sysmon";

/// service, its channels
const SERVICES: &[(&str, &[&str])] = &[
    ("application", &["Application"]),
    ("security", &["Security"]),
    ("system", &["System"]),
    (SYSMON, &["Microsoft-Windows-Sysmon/Operational"]),
    ("powershell", &["Microsoft-Windows-PowerShell/Operational", "PowerShellCore/Operational"]),
    ("powershell-classic", &["Windows PowerShell"]),
    (
        "application-experience",
        &[
            "Microsoft-Windows-Application-Experience/Program-Telemetry",
            "Microsoft-Windows-Application-Experience/Program-Compatibility-Assistant",
        ],
    ),
    (
        "applocker",
        &[
            "Microsoft-Windows-AppLocker/MSI and Script",
            "Microsoft-Windows-AppLocker/EXE and DLL",
            "Microsoft-Windows-AppLocker/Packaged app-Deployment",
            "Microsoft-Windows-AppLocker/Packaged app-Execution",
        ],
    ),
    ("appmodel-runtime", &["Microsoft-Windows-AppModel-Runtime/Admin"]),
    ("appxdeployment-server", &["Microsoft-Windows-AppXDeploymentServer/Operational"]),
    ("appxpackaging-om", &["Microsoft-Windows-AppxPackaging/Operational"]),
    ("bitlocker", &["Microsoft-Windows-BitLocker/BitLocker Management"]),
    ("bits-client", &["Microsoft-Windows-Bits-Client/Operational"]),
    ("capi2", &["Microsoft-Windows-CAPI2/Operational"]),
    (
        "certificateservicesclient-lifecycle-system",
        &["Microsoft-Windows-CertificateServicesClient-Lifecycle-System/Operational"],
    ),
    ("codeintegrity-operational", &["Microsoft-Windows-CodeIntegrity/Operational"]),
    ("dhcp", &["Microsoft-Windows-DHCP-Server/Operational"]),
    ("diagnosis-scripted", &["Microsoft-Windows-Diagnosis-Scripted/Operational"]),
    (
        "dns-client",
        &[
            "Microsoft-Windows-DNS Client Events/Operational",
            "Microsoft-Windows-DNS-Client/Operational",
        ],
    ),
    ("dns-server", &["DNS Server"]),
    ("dns-server-analytic", &["Microsoft-Windows-DNS-Server/Analytical"]),
    ("dns-server-audit", &["Microsoft-Windows-DNS-Server/Audit"]),
    ("driver-framework", &["Microsoft-Windows-DriverFrameworks-UserMode/Operational"]),
    ("firewall-as", &["Microsoft-Windows-Windows Firewall With Advanced Security/Firewall"]),
    (
        "hyper-v-worker",
        &["Microsoft-Windows-Hyper-V-Worker", "Microsoft-Windows-Hyper-V-Worker-Admin"],
    ),
    ("iis-configuration", &["Microsoft-IIS-Configuration/Operational"]),
    (
        "kernel-event-tracing",
        &["Microsoft-Windows-Kernel-EventTracing", "Microsoft-Windows-Kernel-EventTracing/Admin"],
    ),
    (
        "kernel-shimengine",
        &[
            "Microsoft-Windows-Kernel-ShimEngine/Operational",
            "Microsoft-Windows-Kernel-ShimEngine/Diagnostic",
        ],
    ),
    ("ldap", &["Microsoft-Windows-LDAP-Client/Debug"]),
    ("lsa-server", &["Microsoft-Windows-LSA/Operational"]),
    ("msexchange-management", &["MSExchange Management"]),
    ("ntfs", &["Microsoft-Windows-Ntfs/Operational"]),
    ("ntlm", &["Microsoft-Windows-NTLM/Operational"]),
    ("openssh", &["OpenSSH/Operational"]),
    ("printservice-admin", &["Microsoft-Windows-PrintService/Admin"]),
    ("printservice-operational", &["Microsoft-Windows-PrintService/Operational"]),
    (
        "security-mitigations",
        &[
            "Microsoft-Windows-Security-Mitigations/Kernel Mode",
            "Microsoft-Windows-Security-Mitigations/User Mode",
        ],
    ),
    ("sense", &["Microsoft-Windows-SENSE/Operational"]),
    (
        "servicebus-client",
        &["Microsoft-ServiceBus-Client/Operational", "Microsoft-ServiceBus-Client/Admin"],
    ),
    (
        "microsoft-servicebus-client",
        &["Microsoft-ServiceBus-Client/Operational", "Microsoft-ServiceBus-Client/Admin"],
    ),
    ("shell-core", &["Microsoft-Windows-Shell-Core/Operational"]),
    ("smbclient-security", &["Microsoft-Windows-SmbClient/Security"]),
    ("smbclient-connectivity", &["Microsoft-Windows-SmbClient/Connectivity"]),
    ("smbserver-connectivity", &["Microsoft-Windows-SMBServer/Connectivity"]),
    ("taskscheduler", &["Microsoft-Windows-TaskScheduler/Operational"]),
    (
        "terminalservices-localsessionmanager",
        &["Microsoft-Windows-TerminalServices-LocalSessionManager/Operational"],
    ),
    ("vhdmp", &["Microsoft-Windows-VHDMP/Operational"]),
    ("windefend", &["Microsoft-Windows-Windows Defender/Operational"]),
    ("wmi", &["Microsoft-Windows-WMI-Activity/Operational"]),
];

/// service, numbers, what `EventType` must be, category
const CATEGORIES: &[(&str, &[i128], &str, &str)] = &[
    (SYSMON, &[1], "", "process_creation"),
    (SYSMON, &[2], "", "file_change"),
    (SYSMON, &[3], "", "network_connection"),
    (SYSMON, &[4, 16], "", "sysmon_status"),
    (SYSMON, &[5], "", "process_termination"),
    (SYSMON, &[6], "", "driver_load"),
    (SYSMON, &[7], "", "image_load"),
    (SYSMON, &[8], "", "create_remote_thread"),
    (SYSMON, &[9], "", "raw_access_thread"),
    (SYSMON, &[10], "", "process_access"),
    (SYSMON, &[11], "", "file_event"),
    (SYSMON, &[12, 13, 14], "", "registry_event"),
    (SYSMON, &[12], "createkey", "registry_add"),
    (SYSMON, &[12], "deletekey", "registry_delete"),
    (SYSMON, &[12], "deletevalue", "registry_delete"),
    (SYSMON, &[13], "", "registry_set"),
    (SYSMON, &[14], "", "registry_rename"),
    (SYSMON, &[15], "", "create_stream_hash"),
    (SYSMON, &[17, 18], "", "pipe_created"),
    (SYSMON, &[19, 20, 21], "", "wmi_event"),
    (SYSMON, &[22], "", "dns_query"),
    (SYSMON, &[23], "", "file_delete"),
    (SYSMON, &[24], "", "clipboard_capture"),
    (SYSMON, &[24], "", "clipboard_change"),
    (SYSMON, &[25], "", "process_tampering"),
    (SYSMON, &[26], "", "file_delete_detected"),
    (SYSMON, &[27], "", "file_block_executable"),
    (SYSMON, &[28], "", "file_block_shredding"),
    (SYSMON, &[29], "", "file_executable_detected"),
    (SYSMON, &[255], "", "sysmon_error"),
    ("security", &[4688], "", "process_creation"),
    ("powershell", &[4103], "", "ps_module"),
    ("powershell", &[4104], "", "ps_script"),
    ("powershell-classic", &[400], "", "ps_classic_start"),
    ("powershell-classic", &[600], "", "ps_classic_provider_start"),
    ("powershell-classic", &[800], "", "ps_classic_script"),
    ("windefend", DEFENDER_FOUND, "", "antivirus"),
];

/// Events of Defender that name what was found and where.
const DEFENDER_FOUND: &[i128] =
    &[1006, 1007, 1008, 1009, 1010, 1011, 1012, 1017, 1018, 1019, 1115, 1116];

/// service, numbers, the event's name → Sigma's
type Names = (&'static str, &'static [i128], &'static [(&'static str, &'static str)]);

const NAMES: &[Names] = &[
    ("security", &[4688], &[("NewProcessName", "Image"), ("ParentProcessName", "ParentImage")]),
    ("windefend", DEFENDER_FOUND, &[("ThreatName", "Signature"), ("Path", "Filename")]),
];

/// Sysmon for Linux writes Windows events as well.
const LINUX_CHANNEL: &str = "Linux-Sysmon/Operational";
const LINUX_CATEGORIES: &[(i128, &str)] = &[
    (1, "process_creation"),
    (3, "network_connection"),
    (5, "process_termination"),
    (9, "raw_access_thread"),
    (11, "file_event"),
    (23, "file_delete"),
];

/// Providers that stand for a channel where the event has none.
const PROVIDERS: &[(&str, &str)] = &[
    ("Microsoft-Windows-Sysmon", "Microsoft-Windows-Sysmon/Operational"),
    ("Microsoft-Windows-Security-Auditing", "Security"),
    ("Microsoft-Windows-PowerShell", "Microsoft-Windows-PowerShell/Operational"),
    ("PowerShell", "Windows PowerShell"),
    ("Linux-Sysmon", LINUX_CHANNEL),
];

/// Categories of a tracing provider that has no channel.
const KERNEL_FILE: &str = "Microsoft-Windows-Kernel-File";
const KERNEL_FILE_CATEGORIES: [&str; 2] = ["file_access", "file_rename"];

/// A category an event of a channel may belong to: number, folded `EventType` or nothing, source.
type Category = (i128, &'static str, u16);

#[derive(Default)]
struct Channel {
    services: Vec<u16>,
    categories: Vec<Category>,
    names: Vec<(i128, &'static str, &'static str)>,
}

struct Table {
    sources: Vec<LogSource>,
    /// By folded name
    channels: FxHashMap<Vec<u8>, Channel>,
    providers: FxHashMap<Vec<u8>, &'static str>,
    windows: u16,
    kernel_file: Vec<u16>,
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(build)
}

fn build() -> Table {
    let mut sources: Vec<LogSource> = Vec::new();
    let mut source = |category: Option<&str>, product: &str, service: Option<&str>| {
        let source = LogSource::new(category, Some(product), service);
        let at = sources.iter().position(|s| *s == source).unwrap_or(sources.len());
        if at == sources.len() {
            sources.push(source);
        }
        at as u16
    };
    let windows = source(None, "windows", None);
    let mut channels: FxHashMap<Vec<u8>, Channel> = FxHashMap::default();
    for (service, names) in SERVICES {
        let of_service = source(None, "windows", Some(service));
        for name in *names {
            let channel = channels.entry(folded(name)).or_default();
            channel.services.push(of_service);
            for (_, numbers, kind, category) in CATEGORIES.iter().filter(|c| c.0 == *service) {
                let at = source(Some(category), "windows", Some(service));
                channel.categories.extend(numbers.iter().map(|n| (*n, *kind, at)));
            }
            for (_, numbers, pairs) in NAMES.iter().filter(|n| n.0 == *service) {
                for number in *numbers {
                    channel.names.extend(pairs.iter().map(|(from, to)| (*number, *from, *to)));
                }
            }
        }
    }
    let linux = channels.entry(folded(LINUX_CHANNEL)).or_default();
    linux.services.push(source(None, "linux", Some(SYSMON)));
    for (number, category) in LINUX_CATEGORIES {
        linux.categories.push((*number, "", source(Some(category), "linux", Some(SYSMON))));
    }
    let kernel_file = KERNEL_FILE_CATEGORIES.map(|c| source(Some(c), "windows", None)).to_vec();
    let providers =
        PROVIDERS.iter().map(|(provider, channel)| (folded(provider), *channel)).collect();
    Table { sources, channels, providers, windows, kernel_file }
}

/// Every log source the table knows; [`route`] gives places in it.
pub(crate) fn sources() -> &'static [LogSource] {
    &table().sources
}

/// The places in [`sources`] of those the event belongs to; none if it is no Windows event.
pub(crate) fn route(arena: &Arena, found: &mut Vec<u16>) {
    found.clear();
    let table = table();
    let Some(seen) = Seen::of(arena) else { return };
    let Some(channel) = seen.channel(table) else {
        if seen.provider == Some(&folded(KERNEL_FILE)[..]) {
            found.extend(&table.kernel_file);
        } else if seen.channel.is_some() {
            found.push(table.windows);
        }
        return;
    };
    found.extend(&channel.services);
    for (number, kind, source) in &channel.categories {
        // Without an EventType nobody can say which of the kinds it was; then it is all of them.
        let meets = kind.is_empty() || seen.kind.is_none_or(|k| k == kind.as_bytes());
        if Some(*number) == seen.number && meets && !found.contains(source) {
            found.push(*source);
        }
    }
}

/// The header fields that decide.
struct Seen<'a> {
    channel: Option<&'a [u8]>,
    provider: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
    number: Option<i128>,
}

impl<'a> Seen<'a> {
    fn of(arena: &'a Arena) -> Option<Seen<'a>> {
        static HASHES: OnceLock<[u64; 4]> = OnceLock::new();
        let [channel, provider, kind, number] = HASHES
            .get_or_init(|| ["Channel", "Provider_Name", "EventType", "EventID"].map(name_hash));
        let mut seen = Seen { channel: None, provider: None, kind: None, number: None };
        for field in arena.all().iter().filter(|f| f.kind == Kind::Value) {
            let value = || Some(arena.folded(field));
            match field.hash {
                h if h == *channel && seen.channel.is_none() => seen.channel = value(),
                h if h == *provider && seen.provider.is_none() => seen.provider = value(),
                h if h == *kind && seen.kind.is_none() => seen.kind = value(),
                h if h == *number && seen.number.is_none() => {
                    seen.number = match Num::parse(arena.raw(field)) {
                        Some(Num::Int(number)) => Some(number),
                        _ => None,
                    }
                }
                _ => {}
            }
        }
        (seen.channel.is_some() || seen.provider.is_some()).then_some(seen)
    }

    fn channel(&self, table: &'static Table) -> Option<&'static Channel> {
        match (self.channel, self.provider) {
            (Some(channel), _) => table.channels.get(channel),
            (None, Some(provider)) => table.channels.get(&folded(table.providers.get(provider)?)),
            (None, None) => None,
        }
    }
}

impl Arena {
    /// Ends the event: fields that Windows names otherwise than Sigma get Sigma's name as well. `json`, `xml`
    /// and `text` do it themselves; an event made with `push` asks for it.
    pub fn seal(&mut self) {
        let names: Vec<(&str, &str)> = match Seen::of(self) {
            Some(seen) => match (seen.channel(table()), seen.number) {
                (Some(channel), Some(number)) => {
                    channel.names.iter().filter(|n| n.0 == number).map(|n| (n.1, n.2)).collect()
                }
                _ => return,
            },
            None => return,
        };
        for (from, to) in names {
            self.alias(to, from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(fields: &[(&str, &str)]) -> Vec<String> {
        let mut arena = Arena::new();
        fields.iter().for_each(|(name, value)| arena.push(name, value));
        let mut found = Vec::new();
        route(&arena, &mut found);
        let shown = |s: &LogSource| {
            let part = |p: &Option<String>| p.clone().unwrap_or_else(|| "-".into());
            format!("{}/{}/{}", part(&s.category), part(&s.product), part(&s.service))
        };
        found.iter().map(|i| shown(&sources()[usize::from(*i)])).collect()
    }

    const CHANNEL: &str = "Microsoft-Windows-Sysmon/Operational";

    #[test]
    fn an_event_has_several_log_sources() {
        let found = routed(&[("Channel", CHANNEL), ("EventID", "13"), ("EventType", "SetValue")]);
        assert_eq!(
            found,
            ["-/windows/sysmon", "registry_event/windows/sysmon", "registry_set/windows/sysmon"]
        );
        let found = routed(&[("Channel", CHANNEL), ("EventID", "12"), ("EventType", "CreateKey")]);
        assert_eq!(
            found,
            ["-/windows/sysmon", "registry_event/windows/sysmon", "registry_add/windows/sysmon"]
        );
        assert_eq!(routed(&[("channel", CHANNEL)]), [""; 0]);
        assert_eq!(routed(&[("Channel", "Something/Operational")]), ["-/windows/-"]);
        assert_eq!(
            routed(&[("Provider_Name", "Linux-Sysmon"), ("EventID", "1")]).last().unwrap(),
            "process_creation/linux/sysmon"
        );
        assert_eq!(
            routed(&[("Provider_Name", KERNEL_FILE)]),
            ["file_access/windows/-", "file_rename/windows/-"]
        );
        assert_eq!(routed(&[("cs-method", "GET")]), [""; 0]);
    }

    #[test]
    fn security_4688_has_the_names_of_process_creation() {
        let mut arena = Arena::new();
        for (name, value) in
            [("Channel", "Security"), ("EventID", "4688"), ("NewProcessName", "C:\\a.exe")]
        {
            arena.push(name, value);
        }
        arena.seal();
        assert_eq!(arena.get("Image"), Some("C:\\a.exe"));
        assert_eq!(arena.get("NewProcessName"), Some("C:\\a.exe"));
        assert_eq!(arena.get("ParentImage"), None);
        assert_eq!(arena.fields().count(), 3, "a second name is no second field");
    }
}
