//! What sort of thing a component is.

/// Sorts of components, as CycloneDX names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A program.
    Application,
    /// A framework.
    Framework,
    /// A library; what one takes when nothing better is known.
    Library,
    /// A container image.
    Container,
    /// A runtime.
    Platform,
    /// An operating system.
    OperatingSystem,
    /// Hardware.
    Device,
    /// What drives hardware.
    DeviceDriver,
    /// What runs on hardware.
    Firmware,
    /// One file.
    File,
    /// A model.
    MachineLearningModel,
    /// Data.
    Data,
    /// Keys, certificates, algorithms, protocols.
    CryptographicAsset,
}

/// Kind, name in CycloneDX, `primaryPackagePurpose` of SPDX 2, `software_primaryPurpose` of SPDX 3.
const NAMES: [(Kind, &str, &str, &str); 13] = [
    (Kind::Application, "application", "APPLICATION", "application"),
    (Kind::Framework, "framework", "FRAMEWORK", "framework"),
    (Kind::Library, "library", "LIBRARY", "library"),
    (Kind::Container, "container", "CONTAINER", "container"),
    (Kind::Platform, "platform", "", "platform"),
    (Kind::OperatingSystem, "operating-system", "OPERATING-SYSTEM", "operatingSystem"),
    (Kind::Device, "device", "DEVICE", "device"),
    (Kind::DeviceDriver, "device-driver", "", "deviceDriver"),
    (Kind::Firmware, "firmware", "FIRMWARE", "firmware"),
    (Kind::File, "file", "FILE", "file"),
    (Kind::MachineLearningModel, "machine-learning-model", "", "model"),
    (Kind::Data, "data", "", "data"),
    (Kind::CryptographicAsset, "cryptographic-asset", "", ""),
];

impl Kind {
    fn row(self) -> &'static (Kind, &'static str, &'static str, &'static str) {
        // The table holds every kind, in order.
        &NAMES[self as usize]
    }

    /// As CycloneDX writes it.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The reverse of [`Kind::name`].
    pub fn named(name: &str) -> Option<Kind> {
        NAMES.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// As SPDX 2 writes it; `None` where it has no word for it.
    pub fn spdx2(self) -> Option<&'static str> {
        Some(self.row().2).filter(|name| !name.is_empty())
    }

    /// The reverse of [`Kind::spdx2`].
    pub fn of_spdx2(name: &str) -> Option<Kind> {
        NAMES.iter().find(|row| !name.is_empty() && row.2 == name).map(|row| row.0)
    }

    /// As SPDX 3 writes it; `None` where it has no word for it.
    pub fn spdx3(self) -> Option<&'static str> {
        Some(self.row().3).filter(|name| !name.is_empty())
    }

    /// The reverse of [`Kind::spdx3`].
    pub fn of_spdx3(name: &str) -> Option<Kind> {
        NAMES.iter().find(|row| !name.is_empty() && row.3 == name).map(|row| row.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_kinds() {
        for (index, row) in NAMES.iter().enumerate() {
            assert_eq!(row.0 as usize, index);
            assert_eq!(Kind::named(row.0.name()), Some(row.0));
        }
    }
}
