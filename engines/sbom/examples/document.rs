//! `document FILE [FORMAT]`: reads a document of any format and writes it in another; without a format
//! says what is wrong with it.

#![allow(clippy::disallowed_methods)]

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let bytes = std::fs::read(arguments.next().ok_or("document FILE [FORMAT]")?)?;
    let bom = match sbom::parse(&bytes) {
        Ok(bom) => bom,
        Err(problems) => {
            problems.iter().for_each(|problem| println!("{problem}"));
            std::process::exit(1);
        }
    };
    if let Some(format) = arguments.next() {
        let written = sbom::write(&bom, format.parse()?)?;
        print!("{}", written.text);
        written.losses.iter().for_each(|loss| eprintln!("lost: {loss}"));
    }
    Ok(())
}
