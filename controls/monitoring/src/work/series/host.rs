//! What this machine measures of itself every minute: processor, memory, load, disks, temperatures, network, uptime.
//!
//! Five minutes are stored at once: a segment of the archive each minute would be much for a machine that says nothing
//! else. What was not stored when the process ended is a gap. The measures come in as events of the source `host`, as those of any other machine do. Read is `/proc` and `/sys`;
//! what is not there is left out. Limits: [`DISKS_MAX`] file systems, [`SENSORS_MAX`] sensors, [`LINKS_MAX`]
//! interfaces. A demonstration never reads the machine it is shown on.

use std::{
    fs,
    path::Path,
    sync::{Mutex, PoisonError},
};

use room::{Error, Shared};
use stream::{
    Format, RawLine,
    metrics::{Labels, Sample},
};

const SOURCE: &str = "host";
const DISKS_MAX: usize = 32;
const SENSORS_MAX: usize = 64;
const LINKS_MAX: usize = 32;
/// File systems that fill.
const FILE_SYSTEMS: [&str; 6] = ["ext4", "ext3", "xfs", "btrfs", "zfs", "f2fs"];

/// Measures are stored this often.
const STORE_EVERY_US: i64 = 5 * 60 * 1_000_000;

/// What was seen so far.
#[derive(Default)]
struct Seen(Mutex<Look>);

#[derive(Default)]
struct Look {
    /// Jiffies of the processor: busy and all.
    jiffies: Option<(u64, u64)>,
    waiting: Vec<RawLine>,
    stored_at: i64,
}

/// Measures once. The first look only counts, since use is what happened between two.
pub async fn round(ctx: Shared) -> Result<(), Error> {
    if ctx.house.demo {
        return Ok(());
    }
    let seen = ctx.house.kept.get::<Seen>();
    let (stream, now) = (ctx.stream.clone(), ctx.store().now());
    room::blocking(move || -> Result<(), Error> {
        let jiffies = processor(&text(Path::new("/proc/stat")));
        let mut look = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(before) = std::mem::replace(&mut look.jiffies, jiffies) else { return Ok(()) };
        let mut samples = gather(Path::new("/"));
        samples.extend(jiffies.and_then(|now| used(before, now)));
        let name = room::host_name();
        let line = |s: &Sample| RawLine::with_format(s.line(&name, now), Format::Json);
        look.waiting.extend(samples.iter().map(line));
        // The clock may have gone back.
        if (now.0 - look.stored_at).abs() >= STORE_EVERY_US {
            look.stored_at = now.0;
            stream.ingest(SOURCE, std::mem::take(&mut look.waiting), now)?;
        }
        Ok(())
    })
    .await?
}

fn sample(name: &str, labels: Labels, value: f64, kind: &'static str) -> Sample {
    Sample { name: format!("host_{name}"), labels, value, kind: Some(kind), time: None }
}

fn gauge(name: &str, value: f64) -> Sample {
    sample(name, Vec::new(), value, "gauge")
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Busy jiffies and all of them.
fn processor(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let times: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guests are in user already.
    let all: u64 = times.iter().take(8).sum();
    let idle: u64 = times.iter().skip(3).take(2).sum();
    (times.len() >= 5).then_some((all - idle, all))
}

fn used(before: (u64, u64), now: (u64, u64)) -> Option<Sample> {
    let all = now.1.checked_sub(before.1).filter(|all| *all > 0)?;
    let busy = now.0.checked_sub(before.0)?;
    Some(gauge("cpu_used_ratio", busy as f64 / all as f64))
}

/// What one look tells.
fn gather(root: &Path) -> Vec<Sample> {
    let read = |path: &str| text(&root.join(path));
    let mut all = memory(&read("proc/meminfo"));
    let first = |text: &str| text.split_whitespace().next().and_then(|word| word.parse().ok());
    all.extend(first(&read("proc/loadavg")).map(|load| gauge("load1", load)));
    all.extend(first(&read("proc/uptime")).map(|value| gauge("uptime_seconds", value)));
    all.extend(links(&read("proc/net/dev")));
    all.extend(disks(&read("proc/self/mounts")));
    all.extend(sensors(&root.join("sys/class/hwmon")));
    all
}

fn memory(meminfo: &str) -> Vec<Sample> {
    let of = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    let used = |all: &str, free: &str| {
        let (all, free) = (of(all).filter(|all| *all > 0.0)?, of(free)?);
        Some((all - free) / all)
    };
    let memory = used("MemTotal", "MemAvailable").map(|used| gauge("memory_used_ratio", used));
    let swap = used("SwapTotal", "SwapFree").map(|used| gauge("swap_used_ratio", used));
    memory.into_iter().chain(swap).collect()
}

fn links(dev: &str) -> Vec<Sample> {
    let mut all = Vec::new();
    let lines = dev.lines().filter_map(|line| line.split_once(':'));
    let lines = lines.map(|(name, counts)| (name.trim(), counts)).filter(|(name, _)| *name != "lo");
    for (name, counts) in lines.take(LINKS_MAX) {
        let counts: Vec<f64> =
            counts.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let label = vec![("interface".to_owned(), name.to_owned())];
        for (what, at) in [
            ("received_bytes_total", 0),
            ("receive_errors_total", 2),
            ("sent_bytes_total", 8),
            ("send_errors_total", 10),
        ] {
            let count = counts.get(at).copied();
            let name = format!("network_{what}");
            all.extend(count.map(|count| sample(&name, label.clone(), count, "counter")));
        }
    }
    all
}

/// How full each file system is, each device once.
fn disks(mounts: &str) -> Vec<Sample> {
    let mut devices: Vec<&str> = Vec::new();
    let mut all = Vec::new();
    for line in mounts.lines() {
        let mut words = line.split(' ');
        let (Some(device), Some(place), Some(kind)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        if !FILE_SYSTEMS.contains(&kind) || devices.contains(&device) || devices.len() >= DISKS_MAX
        {
            continue;
        }
        devices.push(device);
        let label = vec![("mount".to_owned(), place.to_owned())];
        let place = place.replace("\\040", " ");
        let Ok(stat) = rustix::fs::statvfs(place.as_str()) else { continue };
        let share = |name: &str, all: u64, free: u64| {
            let used = (all > 0).then(|| (all - free.min(all)) as f64 / all as f64)?;
            Some(sample(name, label.clone(), used, "gauge"))
        };
        // What only root may still fill is no room.
        let reserved = stat.f_bfree.saturating_sub(stat.f_bavail);
        let blocks = stat.f_blocks.saturating_sub(reserved);
        all.extend(share("disk_used_ratio", blocks, stat.f_bavail));
        all.extend(share("disk_inodes_used_ratio", stat.f_files, stat.f_favail));
    }
    all
}

/// Temperatures in degrees, by chip and sensor.
fn sensors(hwmon: &Path) -> Vec<Sample> {
    let mut all = Vec::new();
    let listed = |path: &Path| -> Vec<std::path::PathBuf> {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        paths
    };
    for chip in listed(hwmon) {
        let chip_name = text(&chip.join("name")).trim().to_owned();
        for input in listed(&chip) {
            let name = input.file_name().and_then(|name| name.to_str()).unwrap_or("");
            let Some(sensor) = name.strip_suffix("_input").filter(|s| s.starts_with("temp")) else {
                continue;
            };
            let said = text(&chip.join(format!("{sensor}_label"))).trim().to_owned();
            let sensor = if said.is_empty() { sensor.to_owned() } else { said };
            let Ok(milli) = text(&input).trim().parse::<f64>() else { continue };
            let labels =
                vec![("chip".to_owned(), chip_name.clone()), ("sensor".to_owned(), sensor)];
            all.push(sample("temperature_celsius", labels, milli / 1000.0, "gauge"));
            if all.len() == SENSORS_MAX {
                return all;
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_measured_by_what_its_kernel_tells() {
        let place = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = place.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "proc/meminfo",
            "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 250 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
        );
        write("proc/loadavg", "0.50 0.4 0.3 1/200 77\n");
        write("proc/uptime", "350735.47 234388.90\n");
        write(
            "proc/net/dev",
            "Inter-|\n face |\n  lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\neth0: 100 2 3 0 0 0 0 0 200 5 6 0 0 0 0 0\n",
        );
        write("sys/class/hwmon/hwmon0/name", "coretemp\n");
        write("sys/class/hwmon/hwmon0/temp1_input", "41500\n");
        write("sys/class/hwmon/hwmon0/temp1_label", "Package id 0\n");
        write("sys/class/hwmon/hwmon0/temp2_input", "broken\n");
        let told: Vec<String> = gather(place.path()).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "host_memory_used_ratio 0.75",
                "host_load1 0.5",
                "host_uptime_seconds 350735.47",
                "host_network_received_bytes_total{interface=\"eth0\"} 100",
                "host_network_receive_errors_total{interface=\"eth0\"} 3",
                "host_network_sent_bytes_total{interface=\"eth0\"} 200",
                "host_network_send_errors_total{interface=\"eth0\"} 6",
                "host_temperature_celsius{chip=\"coretemp\",sensor=\"Package id 0\"} 41.5",
            ]
        );
        assert!(gather(Path::new("/nowhere")).is_empty());
    }

    #[test]
    fn use_is_what_happened_between_two_looks() {
        let one = processor("cpu  10 0 10 70 10 0 0 0 5 5\ncpu0 1 1 1 1\n");
        assert_eq!(one, Some((20, 100)));
        assert_eq!(used((20, 100), (70, 200)).unwrap().value, 0.5);
        assert!(used((20, 100), (20, 100)).is_none() && processor("").is_none());
    }
}
