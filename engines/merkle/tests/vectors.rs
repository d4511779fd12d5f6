//! Judges every Merkle vector of the corpora (inclusion and consistency, good and bad) as it demands.
//!
//! The folder with the unpacked corpora comes from `UME_CORPORA`; without it there is nothing to judge.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use merkle::{ProofError, verify_consistency_bytes, verify_inclusion_bytes};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_vector_is_judged_as_it_demands() {
    let Some(folder) = corpus() else {
        println!("skipped: no corpora");
        return;
    };
    let mut files = Vec::new();
    collect(&folder, &mut files);
    assert!(!files.is_empty(), "no vectors in {}", folder.display());
    let mut refused = 0;
    let mut wrong = Vec::new();
    for file in &files {
        let vector: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        let verdict = judge(&vector);
        refused += usize::from(verdict.is_err());
        if verdict.is_err() != vector["wantErr"].as_bool().unwrap() {
            wrong.push(format!("{}: {verdict:?}", file.display()));
        }
    }
    println!("{} vectors, {refused} refused", files.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn corpus() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("UME_CORPORA")?).join("merkle");
    folder.is_dir().then_some(folder)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
}

fn judge(vector: &Value) -> Result<(), ProofError> {
    // A null proof is an empty one, as in the language the vectors come from.
    let proof: Vec<Vec<u8>> = vector["proof"].as_array().into_iter().flatten().map(bytes).collect();
    if vector.get("leafIdx").is_some() {
        let (leaf, root) = (bytes(&vector["leafHash"]), bytes(&vector["root"]));
        return verify_inclusion_bytes(
            number(&vector["leafIdx"]),
            number(&vector["treeSize"]),
            &leaf,
            &proof,
            &root,
        );
    }
    let (old_root, new_root) = (bytes(&vector["root1"]), bytes(&vector["root2"]));
    let (old, new) = (number(&vector["size1"]), number(&vector["size2"]));
    verify_consistency_bytes(old, new, &proof, &old_root, &new_root)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap_or_default()).unwrap()
}
