//! Pages as bytes: the glyphs that are used become the font of the file, with the characters they stand
//! for, so that the text can be selected.

use std::{collections::BTreeMap, io::Write as _};

use flate2::{Compression, write::ZlibEncoder};
use pdf_writer::{
    Content, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr,
    types::{CidFontType, FontFlags, SystemInfo, TextRenderingMode, UnicodeCmap},
};
use subsetter::GlyphRemapper;

use super::{
    PdfError,
    face::{FONT, Face},
    mark::{Mark, Page},
};

const FONT_NAME: Name<'static> = Name(b"F1");
/// PDF 1.7 and earlier want six letters before the name of a subset.
const BASE_FONT: Name<'static> = Name(b"UMEAAA+IPAexGothic");
const SYSTEM: SystemInfo<'static> =
    SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
/// Thickness that makes a glyph bold, in sizes of its font; there is one weight.
const BOLD: f32 = 0.03;

/// Characters in use by their number in the subset.
struct Used<'f> {
    face: &'f Face,
    mapper: GlyphRemapper,
    chars: BTreeMap<u16, (char, f32)>,
}

impl Used<'_> {
    /// The text as glyph numbers, two bytes each.
    fn encode(&mut self, text: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(text.len());
        for c in text.chars() {
            let (shown, glyph) = self.face.glyph(c);
            let cid = self.mapper.remap(glyph.0);
            self.chars.entry(cid).or_insert_with(|| (shown, self.face.advance(glyph)));
            bytes.extend_from_slice(&cid.to_be_bytes());
        }
        bytes
    }
}

/// What a document says of itself, and how large its pages are (points).
pub(super) struct About<'a> {
    pub language: &'a str,
    pub title: &'a str,
    pub heading: &'a str,
    pub size: (f32, f32),
}

/// Hands out object numbers.
struct Refs(i32);

impl Refs {
    fn next(&mut self) -> Ref {
        self.0 += 1;
        Ref::new(self.0)
    }
}

pub(super) fn document(
    about: &About<'_>,
    face: &Face,
    pages: &[Page],
) -> Result<Vec<u8>, PdfError> {
    let (width, height) = about.size;
    let mut refs = Refs(0);
    let (catalog, tree, info, font) = (refs.next(), refs.next(), refs.next(), refs.next());
    let mut used = Used { face, mapper: GlyphRemapper::new(), chars: BTreeMap::new() };
    let mut pdf = Pdf::new();
    let mut kids = Vec::new();
    for page in pages {
        let (id, content) = (refs.next(), refs.next());
        let bytes = deflated(&draw(page, height, &mut used));
        pdf.stream(content, &bytes).filter(Filter::FlateDecode);
        let mut page = pdf.page(id);
        page.parent(tree).media_box(Rect::new(0.0, 0.0, width, height)).contents(content);
        page.resources().fonts().pair(FONT_NAME, font);
        page.finish();
        kids.push(id);
    }
    let mut root = pdf.catalog(catalog);
    root.pages(tree).lang(TextStr(about.language));
    root.viewer_preferences().display_doc_title(true);
    root.finish();
    pdf.pages(tree).count(kids.len() as i32).kids(kids);
    let title = match about.heading {
        "" => about.title.to_owned(),
        heading => format!("{} – {heading}", about.title),
    };
    pdf.document_info(info).title(TextStr(&title)).producer(TextStr("Ume"));
    embed(&mut pdf, &mut refs, font, &used)?;
    Ok(pdf.finish())
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // A vector takes every byte.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

fn draw(page: &Page, page_height: f32, used: &mut Used<'_>) -> Vec<u8> {
    let mut content = Content::new();
    for mark in &page.0 {
        match mark {
            Mark::Fill { x, y, width, height, gray } => {
                content.set_fill_gray(*gray);
                content.rect(*x, page_height - y - height, *width, *height).fill_nonzero();
            }
            Mark::Rule { x, y, to_x, to_y, gray } => {
                content.set_stroke_gray(*gray).set_line_width(0.5);
                content.move_to(*x, page_height - y).line_to(*to_x, page_height - to_y).stroke();
            }
            Mark::Text { x, y, size, bold, text } => {
                let bytes = used.encode(text);
                content.set_fill_gray(0.0).set_stroke_gray(0.0);
                content.begin_text().set_font(FONT_NAME, *size);
                let mode =
                    if *bold { TextRenderingMode::FillStroke } else { TextRenderingMode::Fill };
                content.set_text_rendering_mode(mode).set_line_width(size * BOLD);
                content.next_line(*x, page_height - y).show(Str(&bytes)).end_text();
            }
        }
    }
    content.finish().to_vec()
}

fn embed(pdf: &mut Pdf, refs: &mut Refs, font: Ref, used: &Used<'_>) -> Result<(), PdfError> {
    let (cid, descriptor, file, unicode) = (refs.next(), refs.next(), refs.next(), refs.next());
    pdf.type0_font(font)
        .base_font(BASE_FONT)
        .encoding_predefined(Name(b"Identity-H"))
        .descendant_font(cid)
        .to_unicode(unicode);
    let mut below = pdf.cid_font(cid);
    below.subtype(CidFontType::Type2).base_font(BASE_FONT).system_info(SYSTEM);
    below
        .font_descriptor(descriptor)
        .default_width(0.0)
        .cid_to_gid_map_predefined(Name(b"Identity"));
    let mut widths = below.widths();
    for (number, (_, width)) in &used.chars {
        widths.consecutive(*number, [*width]);
    }
    widths.finish();
    below.finish();
    let face = used.face;
    let inner = face.inner();
    let edges = inner.global_bounding_box();
    let edge = |units: i16| face.thousandths(units.into());
    pdf.font_descriptor(descriptor)
        .name(BASE_FONT)
        .flags(FontFlags::SYMBOLIC)
        .bbox(Rect::new(edge(edges.x_min), edge(edges.y_min), edge(edges.x_max), edge(edges.y_max)))
        .italic_angle(0.0)
        .ascent(edge(inner.ascender()))
        .descent(edge(inner.descender()))
        .cap_height(edge(inner.capital_height().unwrap_or(inner.ascender())))
        .stem_v(80.0)
        .font_file2(file);
    let subset = subsetter::subset(FONT, 0, &used.mapper);
    let subset = subset.map_err(|error| PdfError::Font(error.to_string()))?;
    let bytes = deflated(&subset);
    let mut stream = pdf.stream(file, &bytes);
    stream.filter(Filter::FlateDecode);
    stream.pair(Name(b"Length1"), subset.len() as i32);
    stream.finish();
    let mut cmap = UnicodeCmap::new(Name(b"Ume"), SYSTEM);
    for (number, (c, _)) in &used.chars {
        cmap.pair(*number, *c);
    }
    let cmap = deflated(&cmap.finish());
    pdf.stream(unicode, &cmap).filter(Filter::FlateDecode);
    Ok(())
}
