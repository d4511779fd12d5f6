//! CVSS
