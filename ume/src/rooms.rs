//! The ordered list of the eleven rooms.

use model::RoomSpec;

/// The rooms in the order of Annex A.
pub const ROOMS: [&RoomSpec; 11] = [
    &threat_intelligence::SPEC,
    &cloud_services::SPEC,
    &ict_readiness::SPEC,
    &physical_monitoring::SPEC,
    &configuration::SPEC,
    &information_deletion::SPEC,
    &data_masking::SPEC,
    &leakage_prevention::SPEC,
    &monitoring::SPEC,
    &web_filtering::SPEC,
    &secure_coding::SPEC,
];
