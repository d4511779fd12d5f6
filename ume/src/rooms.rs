//! The ordered list of the eleven rooms.

use model::RoomSpec;
use room::Room;

/// What the rooms are, in the order of Annex A.
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

/// What the rooms do, in the same order.
pub const AT_WORK: [&dyn Room; 11] = [
    &threat_intelligence::ThreatIntelligence,
    &cloud_services::CloudServices,
    &ict_readiness::IctReadiness,
    &physical_monitoring::PhysicalMonitoring,
    &configuration::Configuration,
    &information_deletion::InformationDeletion,
    &data_masking::DataMasking,
    &leakage_prevention::LeakagePrevention,
    &monitoring::Monitoring,
    &web_filtering::WebFiltering,
    &secure_coding::SecureCoding,
];
