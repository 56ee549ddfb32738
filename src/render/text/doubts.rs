//! A reason and its figures in a few words.

use super::figures::{count, minute, percent, thousands};
use crate::findings::reason::{Doubt, Extent};
use crate::render::sanitize::terminal;

pub(crate) fn words(doubt: &Doubt) -> String {
    match doubt {
        Doubt::InterfaceSilent { interfaces, .. } => {
            format!("no ACCEPT on {}", count(*interfaces, "interface"))
        }
        Doubt::UnresolvedPeer { states: 0 | 1, .. } => "peer not in the snapshot".to_owned(),
        Doubt::UnresolvedPeer { states, unresolved_states, .. } => {
            format!("peer not in {} of {} states", thousands(*unresolved_states), thousands(*states))
        }
        Doubt::PeerUnproven { near_records } => {
            format!("{} from unknown peers would fit", count(*near_records, "record"))
        }
        Doubt::NotLoggable { traffic: Extent::All, .. } => "flow logs leave such traffic out".to_owned(),
        Doubt::NotLoggable { traffic: Extent::Part, .. } => "flow logs leave some of it out".to_owned(),
        Doubt::YoungRule { since, .. } => format!("there since {} only", minute(since)),
        Doubt::CoveredTooLittle(time) => {
            format!("{} of the time covered", percent(time.covered_hours, time.attached_hours))
        }
        Doubt::UnknownProtocol { .. } => "unknown protocol".to_owned(),
        Doubt::PortsNotLogged { records } => format!("{} without ports", count(*records, "record")),
        Doubt::Skipdata { records, .. } => format!("{} skipped", count(*records, "record")),
        Doubt::InterfacePartlySilent { silent_interfaces: 0, hours_before_flow_log, .. } => {
            format!("no flow log in its first {}", count(*hours_before_flow_log, "hour"))
        }
        Doubt::InterfacePartlySilent { interfaces, silent_interfaces, .. } => {
            let (silent, all) = (thousands(*silent_interfaces), count(*interfaces, "interface"));
            format!("{silent} of {all} silent")
        }
        Doubt::Gap { covered, missing_objects } => {
            let hours = covered.attached_hours.saturating_sub(covered.covered_hours);
            match (hours, *missing_objects) {
                (hours, 0) => format!("{} without records", count(hours, "hour")),
                (0, objects) => format!("{} missing", count(objects, "object")),
                (hours, objects) => {
                    format!("{} without records, {} missing", count(hours, "hour"), count(objects, "object"))
                }
            }
        }
        Doubt::WindowShort { window_hours, review_period_hours } => {
            if review_period_hours.is_multiple_of(24) && *review_period_hours >= 48 {
                format!(
                    "window {} of {}",
                    thousands(window_hours / 24),
                    count(review_period_hours / 24, "day")
                )
            } else {
                format!("window {} of {}", thousands(*window_hours), count(*review_period_hours, "hour"))
            }
        }
        Doubt::HistoryUnknown { .. } => "no snapshot that old".to_owned(),
        Doubt::ChangedInWindow { states, states_without_rule } => {
            format!("not in {} of {} states", thousands(*states_without_rule), thousands(*states))
        }
        Doubt::UnknownInterfaces(strays) => {
            format!("{} on unknown interfaces", count(strays.records, "record"))
        }
        Doubt::MalformedRows { rows: 0, failed_files } => {
            format!("{} not read", count(*failed_files, "file"))
        }
        Doubt::MalformedRows { rows, .. } => count(*rows, "malformed row"),
        Doubt::CarriesUntrackedReplies { .. } => "carries untracked replies".to_owned(),
        Doubt::RareByName { word, .. } => format!("named \"{}\"", terminal(word)),
        Doubt::RequiredByService { service } => format!("{service} needs it"),
        Doubt::GroupTypeUnknown { .. } => "type of the group not known".to_owned(),
    }
}
