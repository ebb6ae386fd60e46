//! What this machine has to offer: looked at now and then, in a thread that may be slow, and told coarsely.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sysinfo::{Disks, System};
use warren_shared::net::Node;
use warren_shared::proto::select::Resources;

/// Often enough to notice that a machine has become busy, rarely enough to cost nothing.
const LOOK_EVERY: Duration = Duration::from_secs(10);
const MIB: u64 = 1024 * 1024;

/// Lets a node say what this machine has. The looking ends with the runtime.
pub fn describe(node: &Node, roles: &[&str], data: Option<&Path>) {
    let known = Arc::new(Mutex::new(Resources::default()));
    let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
    let data = data.map(Path::to_path_buf);
    let (writer, began) = (Arc::downgrade(&known), Instant::now());
    tokio::spawn(async move {
        let mut system = System::new();
        while let Some(known) = writer.upgrade() {
            let place = data.clone();
            let looking = tokio::task::spawn_blocking(move || {
                let seen = look(&mut system, place);
                (system, seen)
            });
            let Ok((back, seen)) = looking.await else {
                return;
            };
            system = back;
            *known.lock().unwrap_or_else(PoisonError::into_inner) = seen;
            drop(known);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    node.rpc().describe(Arc::new(move || {
        let known = known.lock().unwrap_or_else(PoisonError::into_inner);
        Resources {
            uptime: began.elapsed().as_millis() as u64,
            roles: roles.clone(),
            ..known.clone()
        }
    }));
}

fn look(system: &mut System, data: Option<PathBuf>) -> Resources {
    system.refresh_memory();
    system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
    let cores = system.cpus().len() as u64;
    // Who waits for a processor, on average of the last minute: more than there are is fully busy.
    let busy = System::load_average().one / cores.max(1) as f64;
    Resources {
        cores,
        load: (busy.clamp(0.0, 1.0) * 1_000.0) as u64,
        memory: system.available_memory() / MIB,
        disk: disk(data.unwrap_or_else(std::env::temp_dir)) / MIB,
        bandwidth: bandwidth(),
        ..Resources::default()
    }
}

/// Free bytes where the data is: on the disk that is mounted closest above it.
fn disk(place: PathBuf) -> u64 {
    let place = place.canonicalize().unwrap_or(place);
    let disks = Disks::new_with_refreshed_list();
    let above = disks
        .iter()
        .filter(|disk| place.starts_with(disk.mount_point()));
    let closest = above.max_by_key(|disk| disk.mount_point().as_os_str().len());
    closest.map_or(0, sysinfo::Disk::available_space)
}

/// In kbit/s, as the fastest network interface says of itself, where the system tells: the way beyond may be narrower.
fn bandwidth() -> u64 {
    let Ok(interfaces) = std::fs::read_dir("/sys/class/net") else {
        return 0;
    };
    let speed = |interface: std::fs::DirEntry| {
        let text = std::fs::read_to_string(interface.path().join("speed")).ok()?;
        text.trim().parse::<u64>().ok()
    };
    let fastest = interfaces.flatten().filter_map(speed).max();
    fastest.unwrap_or(0) * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_processors_memory_and_a_disk() {
        let seen = look(&mut System::new(), None);
        assert!(seen.cores >= 1 && seen.load <= 1_000, "{seen:?}");
        assert!(seen.memory > 0, "{seen:?}");
    }
}
