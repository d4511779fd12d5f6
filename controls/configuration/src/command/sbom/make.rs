//! `make`: the bill of materials of a root.

use std::io::Write;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use room::{Error, Outcome};
use sbom::catalogue::{Catalogue, Options, rpm_from_query};

use super::image::Image;
use super::read::{output, to, write};
use crate::work::{bill, walk::Root};

const UNREAD_SHOWN_MAX: usize = 100;

pub(super) fn command() -> Command {
    let root = Arg::new("root")
        .long("root")
        .value_name("DIR")
        .default_value("/")
        .value_parser(value_parser!(PathBuf))
        .help("Folder that holds the root of a host or image");
    let files = Arg::new("files")
        .long("files")
        .action(ArgAction::SetTrue)
        .help("List the files of packages as well, with their hashes; ume sbom verify needs them");
    let name =
        Arg::new("name").long("name").value_name("NAME").help("What the host or image is called");
    let created = Arg::new("created")
        .long("created")
        .value_name("TIME")
        .help("Time to write into the document (RFC 3339); without it none, and equal roots give equal bytes");
    let image = Arg::new("image")
        .long("image")
        .value_name("FILE")
        .conflicts_with("root")
        .value_parser(value_parser!(PathBuf))
        .help(
            "Container image instead of a root: an OCI layout as tar, or what docker save writes",
        );
    let query = Arg::new("rpm-query")
        .long("rpm-query")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Output of rpm -qa, for databases in a form that is not read; the format stands in the README");
    Command::new("make")
        .about("List what is installed below a root; exit 3 if something could not be read")
        .args([root, image, files, name, created, query, to(), output()])
}

pub(super) fn run(matches: &ArgMatches, out: &mut dyn Write) -> Result<Outcome, Error> {
    let mut catalogue = match matches.get_one::<PathBuf>("image") {
        Some(path) => {
            // What is a link in an image is not known before it was read; images of today are merged.
            let mut catalogue = Catalogue::new(options(matches, true));
            Image::open(path)?.offer(path, &mut catalogue)?;
            catalogue
        }
        None => {
            let path = matches.get_one::<PathBuf>("root").cloned().unwrap_or_else(|| "/".into());
            let root =
                Root::open(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
            let mut catalogue = Catalogue::new(options(matches, root.merged_usr()));
            root.offer(&mut catalogue);
            catalogue
        }
    };
    if let Some(path) = matches.get_one::<PathBuf>("rpm-query") {
        let text = std::fs::read_to_string(path)
            .map_err(|source| Error::Io { path: path.clone(), source })?;
        rpm_from_query(&mut catalogue, &text);
    }
    let (mut bom, unread) = catalogue.finish();
    bom.serial = Some(bill::serial(&bom));
    let outcome = write(&bom, matches, out)?;
    for one in unread.iter().take(UNREAD_SHOWN_MAX) {
        eprintln!("ume: {one}");
    }
    if unread.len() > UNREAD_SHOWN_MAX {
        eprintln!("ume: {} could not be read in all", unread.len());
    }
    Ok(if unread.is_empty() { outcome } else { Outcome::Incomplete })
}

fn options(matches: &ArgMatches, merged_usr: bool) -> Options {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    Options {
        merged_usr,
        name: text("name").unwrap_or_default(),
        serial: None,
        created: text("created"),
        files: matches.get_flag("files"),
    }
}
