#!/bin/sh
# Verifies an audit bundle of Ume. Needs a POSIX shell, coreutils (with sha256sum), awk, find, xargs,
# and openssl 3; nothing of Ume.
#
#   sh verify.sh [--key KEY] [FOLDER]
#
# FOLDER is the unpacked bundle, by default the folder of this file. KEY is the verifier key of the
# ledger (or a file that holds it) as the organisation gave it to you by another way than the bundle.
#
# What a run without a mismatch proves:
#   manifest    manifest.json was signed with the ledger's key, unchanged since
#   files       every file is as the manifest lists it, none is missing, none was added
#   checkpoint  size and root of the ledger were signed with the same key
#   leaves      every leaf in the bundle stands at its place under that root. All leaves are hashed
#               together with the nodes in tree.txt up to the root (RFC 6962, section 2.1); the nodes
#               so found give the one right proof of each leaf, and each .tlog-proof must be that one.
#               Only where the whole does not fit, each proof is computed by itself, to name the leaf
#   contents    each content is what its leaf committed to: SHA-256("ume/commit/" form "\n" salt
#               content); a leaf with a commitment has its content here or is listed as held back
#   soa         the rows of the Statement of Applicability point only to leaves in the bundle
#   outside     each cosignature of a witness holds for the checkpoint beside it
# What it does not prove:
#   - whose key it is: anyone can make a bundle with a key of their own. Give --key;
#   - that what was recorded is true; only that it has not been changed since the checkpoint;
#   - that the ledger has no other history: compare the checkpoint with what witnesses or other people
#     have seen. Time stamps are carried along; `openssl ts -verify` checks them;
#   - that records were not withheld: the manifest says which leaves of how many are here, and why
#     contents are not.
# A changed verify.sh can say anything: take it from a place you trust, and run it on the folder.
#
# Exit: 0 everything holds, 1 something does not (each named on a line FAULT), 2 it could not be run.

ja=
for l in "${LC_ALL-}" "${LC_MESSAGES-}" "${LANG-}"; do
  [ -n "$l" ] || continue
  case $l in ja*) ja=1 ;; esac
  break
done
LC_ALL=C
export LC_ALL
umask 077

say() { if [ -n "$ja" ]; then printf '%s\n' "$1"; else printf '%s\n' "$2"; fi; }
stop() {
  say "verify.sh: $1" "verify.sh: $2" >&2
  exit 2
}

pinned= dir=
while [ $# -gt 0 ]; do
  case $1 in
    --key)
      [ $# -ge 2 ] || stop "--keyに検証鍵を指定してください" "--key needs a verifier key"
      pinned=$2
      shift
      ;;
    -*) stop "使い方: sh verify.sh [--key 検証鍵] [フォルダー]" "usage: sh verify.sh [--key KEY] [FOLDER]" ;;
    *)
      [ -z "$dir" ] || stop "フォルダーは一つだけです" "one folder only"
      dir=$1
      ;;
  esac
  shift
done
if [ -n "$pinned" ] && [ -f "$pinned" ]; then pinned=$(cat "$pinned"); fi
if [ -z "$dir" ]; then
  case $0 in */*) dir=${0%/*} ;; *) dir=. ;; esac
fi
for tool in awk cat cmp cut find grep ls mktemp od openssl rm sed sha256sum sort tail tr wc xargs; do
  command -v "$tool" >/dev/null 2>&1 || stop "$tool がありません" "$tool is missing"
done
case $(openssl version) in
  "OpenSSL 3"* | "OpenSSL 4"*) ;;
  *) stop "OpenSSL 3が必要です" "OpenSSL 3 is needed" ;;
esac
cd "$dir" 2>/dev/null || stop "$dir を開けません" "$dir cannot be opened"
tmp=$(mktemp -d "${TMPDIR:-/tmp}/ume-bundle.XXXXXX") || stop "一時フォルダーを作れません" "no temporary folder"
trap 'rm -rf "$tmp"' EXIT
trap 'exit 2' HUP INT TERM
: >"$tmp/faults"
: >"$tmp/bad"
tab=$(printf '\t')

# fault CLASS PLACE JA EN
fault() { if [ -n "$ja" ]; then f=$3; else f=$4; fi; printf '%s\t%s\t%s\n' "$1" "$2" "$f" >>"$tmp/faults"; }
# faults_from CLASS JA EN: one for each place on standard input
faults_from() {
  while IFS= read -r place; do fault "$1" "$place" "$2" "$3"; done
}
is_bad() { grep -Fqx -e "$1" "$tmp/bad"; }
# without A B: lines of B that are not in A
without() { awk -v skip="$1" 'BEGIN { while ((getline line <skip) > 0) gone[line] } !($0 in gone)' "$2"; }
count() { wc -l <"$1" | tr -d ' '; }
hex() { od -An -v -tx1 | tr -d ' \n'; }
sha() { sha256sum | cut -c1-64; }
# A text file without NUL whose last byte is a newline.
is_text() {
  [ "$(tail -c 1 "$1" | hex)" = 0a ] && tr -d '\000' <"$1" | cmp -s - "$1"
}
# unbase64 TEXT FILE: only the one spelling is taken
unbase64() {
  printf '%s' "$1" | openssl base64 -d -A >"$2" 2>/dev/null &&
    [ "$(openssl base64 -A <"$2")" = "$1" ]
}
# key_of FILE NAME TYPE: reads a verifier key into $key_name, $key_id and NAME.der
key_of() {
  is_text "$1" && [ "$(count "$1")" = 1 ] || return 1
  IFS= read -r key_line <"$1" || return 1
  case $key_line in *+*+*) ;; *) return 1 ;; esac
  key_name=${key_line%%+*}
  key_rest=${key_line#*+}
  key_id=${key_rest%%+*}
  unbase64 "${key_rest#*+}" "$2.raw" || return 1
  [ "$(wc -c <"$2.raw" | tr -d ' ')" = 33 ] && [ "$(hex <"$2.raw" | cut -c1-2)" = "$3" ] || return 1
  [ "$({ printf '%s\n' "$key_name"; cat "$2.raw"; } | sha | cut -c1-8)" = "$key_id" ] || return 1
  { printf '\060\052\060\005\006\003\053\145\160\003\041\000'; tail -c +2 "$2.raw"; } >"$2.der"
}
# split_note FILE NAME: text into NAME.text, signature lines into NAME.sigs
split_note() {
  is_text "$1" || return 1
  : >"$2.text"
  awk -v text="$2.text" '
    { line[NR] = $0 }
    END {
      for (at = NR; at > 0; at--) if (line[at] == "") break
      if (at < 2 || at == NR) exit 1
      for (i = 1; i < at; i++) print line[i] >text
      for (i = at + 1; i <= NR; i++) print line[i]
    }' "$1" >"$2.sigs"
}
# signed_by NAME KEY MESSAGE: whether the key last read signed the note split into NAME. A wrong
# signature of it, or a malformed line, fails the note; lines of other keys say nothing
signed_by() {
  found=1
  while IFS=' ' read -r dash name encoded more; do
    [ "$dash" = — ] && [ -n "$name" ] && [ -n "$encoded" ] && [ -z "$more" ] || return 1
    unbase64 "$encoded" "$1.sig" || return 1
    [ "$name" = "$key_name" ] && [ "$(hex <"$1.sig" | cut -c1-8)" = "$key_id" ] || continue
    message "$1" || return 1
    openssl pkeyutl -verify -pubin -keyform DER -inkey "$2.der" -rawin -in "$1.message" \
      -sigfile "$1.raw" >/dev/null 2>&1 || return 1
    found=0
  done <"$1.sigs"
  return $found
}
# message NAME: what was signed, and the 64 bytes of the signature; a cosignature states a time
message() {
  case $(wc -c <"$1.sig" | tr -d ' ') in
    68)
      [ "$key_type" = 01 ] || return 1
      cat "$1.text" >"$1.message"
      ;;
    76)
      [ "$key_type" = 04 ] || return 1
      time=$((0x$(hex <"$1.sig" | cut -c9-24)))
      { printf 'cosignature/v1\ntime %s\n' "$time"; cat "$1.text"; } >"$1.message"
      ;;
    *) return 1 ;;
  esac
  tail -c 64 "$1.sig" >"$1.raw"
}

# Prints what was found and ends.
finish() {
  while IFS=$tab read -r class place what; do
    printf 'FAULT\t%s\t%s\t%s\n' "$class" "$place" "$what"
  done <"$tmp/faults"
  n=$(count "$tmp/faults")
  if [ "$n" -gt 0 ]; then
    say "不一致 ${n}件" "$n mismatches"
    exit 1
  fi
  say "不一致はありません" "everything holds"
  exit 0
}

# ---- the manifest and its signature
for file in manifest.json manifest.note; do
  [ -f "$file" ] && [ ! -h "$file" ] || fault manifest "$file" "ありません" "missing"
done
if [ ! -f manifest.json ] || [ -h manifest.json ] || [ ! -f manifest.note ] || [ -h manifest.note ]; then
  finish
fi
stated=$(sed -n 3p manifest.note | tr -d '\000')
manifest_hash=$(sha <manifest.json)
key_type=01
key=
if [ -f vkey ] && key_of vkey "$tmp/key" 01; then
  key=$key_line origin=$key_name origin_id=$key_id
fi
signed=
if [ -n "$key" ] && split_note manifest.note "$tmp/manifest" && signed_by "$tmp/manifest" "$tmp/key" &&
  [ "$(cat "$tmp/manifest.text")" = "$(printf 'ume audit bundle v1\n%s\n%s' "$origin" "$stated")" ]; then
  signed=1
fi
if [ "$stated" != "$manifest_hash" ]; then
  if [ -n "$signed" ]; then
    fault manifest manifest.json "署名されたハッシュと違います" "is not what was signed"
  else
    fault manifest manifest.note "署名が有効でなく、manifest.jsonのハッシュとも違います" "the signature does not hold, nor is it about this manifest.json"
  fi
  finish
fi

# From here on the manifest is read: its hash is in the note, whose signature is judged beside it.
awk -v held="$tmp/held" '
  function text(name,  s) {
    if (!match($0, "\"" name "\":\"[^\"]*\"")) return "-"
    s = substr($0, RSTART, RLENGTH)
    return substr(s, length(name) + 5, length(s) - length(name) - 5)
  }
  function number(name) {
    if (!match($0, "\"" name "\":[0-9]+")) return "-"
    return substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3)
  }
  BEGIN { RS = "}" }
  /"path":"/ { print text("path") "\t" text("sha256") "\t" text("what") "\t" number("leaf") "\t" text("form") "\t" text("salt") }
  /"state":"/ { print number("leaf") "\t" text("state") >held }
  /"root":"/ { print text("root") "\t" number("size") >(held ".tree") }
' manifest.json >"$tmp/list"
touch "$tmp/held" "$tmp/held.tree"
odd=$(awk -F'\t' '$1 !~ /^[A-Za-z0-9._\/-]+$/ || $1 ~ /(^|\/)\.\.?(\/|$)/ || $1 ~ /^\// || seen[$1]++' "$tmp/list")
if [ -n "$odd" ]; then
  fault manifest manifest.json "二重または不正なファイル名があります" "names a file twice, or by a name that none may have"
  finish
fi
cut -f1 "$tmp/list" | sort >"$tmp/listed"

# ---- files
{ printf 'manifest.json\nmanifest.note\n'; cat "$tmp/listed"; } >"$tmp/wanted"
find . ! -type d ! -type f | sed 's|^\./||' >"$tmp/strange"
find . -type f | sed 's|^\./||' | sort >"$tmp/have"
without "$tmp/have" "$tmp/listed" >"$tmp/missing"
without "$tmp/wanted" "$tmp/have" >"$tmp/extra"
cat "$tmp/strange" >>"$tmp/extra"
without "$tmp/missing" "$tmp/listed" >"$tmp/present"
: >"$tmp/sums"
[ -s "$tmp/present" ] && xargs sha256sum <"$tmp/present" >"$tmp/sums" 2>/dev/null
awk -F'\t' '
  FILENAME ~ /\/sums$/ { sum[substr($0, 67)] = substr($0, 1, 64); next }
  FILENAME ~ /\/missing$/ { gone[$0]; next }
  !($1 in gone) && sum[$1] != $2 { print $1 }
' "$tmp/sums" "$tmp/missing" "$tmp/list" >"$tmp/changed"
faults_from files "ありません" "missing" <"$tmp/missing"
faults_from files "目録にありません" "not in the manifest" <"$tmp/extra"
faults_from files "内容が目録と違います" "is not what the manifest lists" <"$tmp/changed"
cat "$tmp/missing" "$tmp/changed" >"$tmp/bad"
if [ -z "$signed" ] && ! is_bad vkey; then
  fault manifest manifest.note "署名が有効ではありません" "the signature does not hold"
fi
say "目録: ファイル$(count "$tmp/listed")件、不足$(count "$tmp/missing")、余分$(count "$tmp/extra")、変更$(count "$tmp/changed")" \
  "files: $(count "$tmp/listed") listed, $(count "$tmp/missing") missing, $(count "$tmp/extra") added, $(count "$tmp/changed") changed"

# ---- whose key
if [ -n "$pinned" ]; then
  if [ "$pinned" != "$key" ]; then
    is_bad vkey || fault key vkey "--keyの検証鍵ではありません" "is not the key given by --key"
  else
    say "検証鍵: --keyと一致" "key: the one given by --key"
  fi
else
  say "検証鍵: 照合していません。組織から別の経路で受け取った鍵と比べてください: $key" \
    "key: not compared; hold it against the one you have from the organisation: $key"
fi

# ---- checkpoint
tree_size=0 tree_root=
if [ -n "$key" ] && ! is_bad vkey && ! is_bad checkpoint; then
  key_name=$origin key_id=$origin_id key_type=01
  holds=
  if split_note checkpoint "$tmp/checkpoint" && signed_by "$tmp/checkpoint" "$tmp/key"; then
    tree_size=$(sed -n 2p "$tmp/checkpoint.text")
    if unbase64 "$(sed -n 3p "$tmp/checkpoint.text")" "$tmp/root"; then tree_root=$(hex <"$tmp/root"); fi
    [ "$(sed -n 1p "$tmp/checkpoint.text")" = "$origin" ] &&
      [ "$(cat "$tmp/held.tree")" = "$tree_root$tab$tree_size" ] && holds=1
  fi
  if [ -n "$holds" ]; then
    say "チェックポイント: 署名は有効、証跡${tree_size}件" "checkpoint: signed, $tree_size leaves"
  else
    tree_root=
    fault checkpoint checkpoint "署名が有効でないか、目録と違います" "the signature does not hold, or the manifest says otherwise"
  fi
fi

# ---- leaves and their proofs
# hash_all FOLDER: "name hash" of the files there
hash_all() { (cd "$1" && ls | xargs sha256sum) | awk '{ print $2, $1 }'; }
# hash_nodes: from lines "name left right" to lines "name hash", with one process for all
hash_nodes() {
  rm -rf "$tmp/nodes.d"
  mkdir "$tmp/nodes.d"
  awk '
    BEGIN { for (i = 0; i < 256; i++) octal[sprintf("%02x", i)] = sprintf("\\%03o", i) }
    function bytes(hash,  i, out) { for (i = 1; i < 64; i += 2) out = out octal[substr(hash, i, 2)]; return out }
    { printf "printf '\''\\001%s%s'\'' >%s\n", bytes($2), bytes($3), $1 }' >"$tmp/nodes.sh"
  [ -s "$tmp/nodes.sh" ] || return 0
  (cd "$tmp/nodes.d" && . "$tmp/nodes.sh")
  hash_all "$tmp/nodes.d"
}
# one_line LIST: files of it that hold a newline or NUL, which neither leaf nor row ever does
one_line() {
  [ -s "$1" ] || return 0
  [ "$(xargs cat <"$1" | tr -dc '\000\n' | wc -c | tr -d ' ')" = 0 ] && return 0
  while IFS= read -r path; do
    [ "$(tr -dc '\000\n' <"$path" | wc -c | tr -d ' ')" = 0 ] || printf '%s\n' "$path"
  done <"$1"
}
base64_table='
  BEGIN {
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for (i = 0; i < 4096; i++) {
      two = substr(letters, int(i / 64) + 1, 1) substr(letters, i % 64 + 1, 1)
      to64[sprintf("%03x", i)] = two
      from64[two] = sprintf("%03x", i)
    }
  }
  function encode(hash,  i, out) {
    for (i = 1; i < 62; i += 3) out = out to64[substr(hash, i, 3)]
    return out substr(to64[substr(hash, 64, 1) "00"], 1, 1) "="
  }
  function decode(text,  i, out) {
    if (length(text) != 44 || substr(text, 44) != "=") return ""
    for (i = 1; i < 43; i += 2) {
      if (!(substr(text, i, 2) in from64)) return ""
      out = out from64[substr(text, i, 2)]
    }
    if (!((substr(text, 43, 1) "A") in from64)) return ""
    out = out substr(from64[substr(text, 43, 1) "A"], 1, 1)
    return encode(out) == text ? out : ""
  }'

awk -F'\t' '$3 == "leaf" { print $1 }' "$tmp/list" | sort >"$tmp/leaves"
without "$tmp/bad" "$tmp/leaves" >"$tmp/leaves.good"
one_line "$tmp/leaves.good" >"$tmp/leaves.odd"
faults_from leaves "葉の形ではありません" "has not the form of a leaf" <"$tmp/leaves.odd"
cat "$tmp/leaves.odd" >>"$tmp/bad"
without "$tmp/bad" "$tmp/leaves" >"$tmp/leaves.good"

mkdir "$tmp/leaf.d"
while IFS= read -r path; do
  line=
  IFS= read -r line <"$path"
  name=${path##*/}
  printf '\000%s' "$line" >"$tmp/leaf.d/${name%.json}"
done <"$tmp/leaves.good"
: >"$tmp/hashes"
[ -s "$tmp/leaves.good" ] && hash_all "$tmp/leaf.d" | awk '{ print $1 + 0, $2 }' >"$tmp/hashes"
rm -rf "$tmp/leaf.d"

# climb: whether leaves and tree.txt lead to the root; keeps every node as "level index hash"
climb() {
  if is_bad tree.txt || [ ! -f tree.txt ]; then return 1; fi
  awk '!/^[0-9]+ [0-9]+ [0-9a-f]+$/ || length($3) != 64 || seen[$1, $2]++ { bad = 1 } END { exit bad }' tree.txt || return 1
  cat tree.txt >"$tmp/tree"
  : >"$tmp/all"
  : >"$tmp/used"
  cat "$tmp/hashes" >"$tmp/level"
  level=0 width=$tree_size
  while [ "$width" -gt 1 ]; do
    awk -v level="$level" -v width="$width" -v all="$tmp/all" -v used="$tmp/used" -v up="$tmp/up" '
      BEGIN { printf "" >up }
      FILENAME ~ /\/tree$/ { if ($1 == level) given[$2] = $3; next }
      { known[$1] = $2; order[n++] = $1; print level, $1, $2 >>all }
      END {
        for (i = 0; i < n; i++) {
          index_ = order[i]
          if (index_ in given) exit 1
          above = int(index_ / 2)
          if (above in done) continue
          done[above]
          other = index_ % 2 ? index_ - 1 : index_ + 1
          if (other >= width) { print above, known[index_] >up; continue }
          if (other in known) hash = known[other]
          else if (other in given) { hash = given[other]; print level, other >>used; print level, other, hash >>all }
          else exit 1
          if (index_ < other) print above, known[index_], hash
          else print above, hash, known[index_]
        }
      }' "$tmp/tree" "$tmp/level" >"$tmp/pairs" || return 1
    awk '{ printf "%020d %s %s\n", $1, $2, $3 }' "$tmp/pairs" | hash_nodes | awk '{ print $1 + 0, $2 }' >"$tmp/level"
    cat "$tmp/up" >>"$tmp/level"
    level=$((level + 1)) width=$(((width + 1) / 2))
  done
  [ "$(count "$tmp/used")" = "$(count "$tmp/tree")" ] && [ "$(cat "$tmp/level")" = "0 $tree_root" ]
}

# expected: writes the one right proof of each leaf into a file named like the leaf
expected() {
  rm -rf "$tmp/proof.d"
  mkdir "$tmp/proof.d"
  awk -v size="$tree_size" -v folder="$tmp/proof.d" "$base64_table"'
    FILENAME ~ /\/all$/ { node[$1, $2] = encode($3); next }
    FILENAME == "checkpoint" { checkpoint = checkpoint $0 "\n"; next }
    {
      file = sprintf("%s/%09d", folder, $1)
      out = "c2sp.org/tlog-proof@v1\nindex " $1 "\n"
      at = $1
      for (width = size; width > 1; width = int((width + 1) / 2)) {
        other = at % 2 ? at - 1 : at + 1
        if (other < width) out = out node[level[width], other] "\n"
        at = int(at / 2)
      }
      printf "%s\n%s", out, checkpoint >file
      close(file)
    }
    BEGIN { for (width = size; width > 1; width = int((width + 1) / 2)) level[width] = number++ }
  ' "$tmp/all" checkpoint "$tmp/hashes"
}

# singly: each leaf by its own proof (RFC 9162, section 2.1.3.2); prints the leaves it does not hold for
singly() {
  awk '{ print sprintf("leaves/%09d.tlog-proof", $1) }' "$tmp/hashes" >"$tmp/own"
  without "$tmp/bad" "$tmp/own" >"$tmp/own.good"
  : >"$tmp/state"
  [ -s "$tmp/own.good" ] || return 0
  awk -v size="$tree_size" "$base64_table"'
    function close_file(  i, state) {
      if (file == "") return
      if (!ok || rest != checkpoint) { print leaf "\tbad"; return }
      state = leaf "\t" leaf "\t" size - 1 "\t" hash[leaf]
      for (i = 0; i < n; i++) state = state "\t" proof[i]
      print state
    }
    FILENAME ~ /\/hashes$/ { hash[$1] = $2; next }
    FILENAME == "checkpoint" { checkpoint = checkpoint $0 "\n"; next }
    FILENAME ~ /own.good$/ {
      file = $0
      leaf = substr(file, 8, 9) + 0
      n = 0; ok = 1; rest = ""; line = 0; after = 0
      while ((getline text <file) > 0) {
        line++
        if (after) rest = rest text "\n"
        else if (line == 1) ok = ok && text == "c2sp.org/tlog-proof@v1"
        else if (line == 2) ok = ok && text == "index " leaf
        else if (text == "") after = 1
        else { proof[n] = decode(text); ok = ok && proof[n] != "" && n < 64; n++ }
      }
      close(file)
      close_file()
    }
  ' "$tmp/hashes" checkpoint "$tmp/own.good" >"$tmp/state"
  : >"$tmp/answer"
  while [ -s "$tmp/state" ]; do
    awk -F'\t' -v root="$tree_root" -v next_="$tmp/state.next" -v wrong="$tmp/wrong" '
      BEGIN { printf "" >next_; printf "" >>wrong; OFS = "\t" }
      FILENAME ~ /\/answer$/ { split($0, pair, " "); answer[pair[1] + 0] = pair[2]; next }
      {
        if ($2 == "bad") { print $1 >>wrong; next }
        if ($1 in answer) $4 = answer[$1]
        if (NF == 4) { if ($3 != 0 || $4 != root) print $1 >>wrong; next }
        if ($3 == 0) { print $1 >>wrong; next }
        if ($2 % 2 || $2 == $3) {
          printf "%09d %s %s\n", $1, $5, $4
          while ($2 % 2 == 0 && $2 != 0) { $2 = $2 / 2; $3 = int($3 / 2) }
        } else printf "%09d %s %s\n", $1, $4, $5
        line = $1 OFS int($2 / 2) OFS int($3 / 2) OFS "-"
        for (i = 6; i <= NF; i++) line = line OFS $i
        print line >next_
      }' "$tmp/answer" "$tmp/state" >"$tmp/pairs"
    cat "$tmp/state.next" >"$tmp/state"
    hash_nodes <"$tmp/pairs" >"$tmp/answer"
  done
  awk '{ printf "leaves/%09d.json\n", $1 }' "$tmp/wrong"
}

if [ -n "$tree_root" ] && [ -s "$tmp/leaves" ]; then
  : >"$tmp/wrong"
  if cmp -s "$tmp/leaves" "$tmp/leaves.good" && climb; then
    expected
    hash_all "$tmp/proof.d" >"$tmp/proof.sums"
    awk '
      FILENAME ~ /\/proof.sums$/ { want["leaves/" $1 ".tlog-proof"] = $2; next }
      FILENAME ~ /\/bad$/ { bad[$0]; next }
      { split($0, part, "\t"); sum[part[1]] = part[2] }
      END { for (path in want) if (!(path in bad) && sum[path] != want[path]) print path }
    ' "$tmp/proof.sums" "$tmp/bad" "$tmp/list" | sort >"$tmp/proof.wrong"
    faults_from leaves "この葉の証明ではありません" "is not the proof of this leaf" <"$tmp/proof.wrong"
  else
    singly | sort >"$tmp/leaf.wrong"
    faults_from leaves "署名されたルートに届きません" "does not lead to the signed root" <"$tmp/leaf.wrong"
    if [ ! -s "$tmp/leaf.wrong" ] && cmp -s "$tmp/leaves" "$tmp/leaves.good" && ! is_bad tree.txt; then
      fault leaves tree.txt "署名されたルートに届きません" "does not lead to the signed root"
    fi
  fi
  say "葉: $(count "$tmp/hashes")件をルートまで計算" "leaves: $(count "$tmp/hashes") hashed up to the root"
fi

# ---- contents
# commits: "leaf commit" of every leaf; the first member of that name is the leaf's own
: >"$tmp/commits"
[ -s "$tmp/leaves.good" ] && xargs awk '
  match($0, /"commit":("[0-9a-f]*"|null)/) {
    file = FILENAME; sub(/^leaves\//, "", file); sub(/\.json$/, "", file)
    value = substr($0, RSTART + 9, RLENGTH - 9); gsub(/"/, "", value)
    print file + 0, value
  }' <"$tmp/leaves.good" >"$tmp/commits"
awk -F'\t' '$3 == "content"' "$tmp/list" | sort >"$tmp/contents"
awk -F'\t' 'FILENAME ~ /\/bad$/ { bad[$0]; next } !($1 in bad)' "$tmp/bad" "$tmp/contents" >"$tmp/contents.good"
cut -f1 "$tmp/contents.good" | grep '\.json$' >"$tmp/rows"
one_line "$tmp/rows" >"$tmp/rows.odd"
awk -F'\t' '
  BEGIN { for (i = 0; i < 256; i++) octal[sprintf("%02x", i)] = sprintf("\\%03o", i) }
  FILENAME ~ /\.odd$/ { odd[$0]; next }
  $5 !~ /^v[12]$/ || $6 !~ /^[0-9a-f]+$/ || length($6) != 64 || $1 in odd { next }
  { out = ""; for (i = 1; i < 64; i += 2) out = out octal[substr($6, i, 2)]; printf "%09d %s %s %s\n", $4, $5, out, $1 }
' "$tmp/rows.odd" "$tmp/contents.good" >"$tmp/openings"
mkdir "$tmp/content.d"
while IFS=' ' read -r leaf form salt path; do
  case $path in
    *.json)
      line=
      IFS= read -r line <"$path"
      printf "ume/commit/$form\n$salt%s" "$line" >"$tmp/content.d/$leaf"
      ;;
    *) { printf "ume/commit/$form\n$salt"; cat "$path"; } >"$tmp/content.d/$leaf" ;;
  esac
done <"$tmp/openings"
: >"$tmp/found"
[ -s "$tmp/openings" ] && hash_all "$tmp/content.d" | awk '{ print $1 + 0, $2 }' >"$tmp/found"
rm -rf "$tmp/content.d"
awk -v contents="$tmp/contents" '
  FILENAME ~ /\/commits$/ { commit[$1] = $2; next }
  FILENAME ~ /\/found$/ { found[$1] = $2; next }
  { split($0, part, "\t"); leaf = part[4]; if (leaf in commit && commit[leaf] != found[leaf]) print part[1] }
' "$tmp/commits" "$tmp/found" "$tmp/contents.good" >"$tmp/content.wrong"
faults_from contents "葉が約束した内容ではありません" "is not what its leaf committed to" <"$tmp/content.wrong"
awk '
  { split($0, part, "\t") }
  FILENAME ~ /\/contents$/ { named[part[4]]++; next }
  FILENAME ~ /\/held$/ { named[part[1]]++; next }
  { want = $2 != "null"; if (named[$1] + 0 != want) printf "leaves/%09d.json\n", $1 }
' "$tmp/contents" "$tmp/held" "$tmp/commits" >"$tmp/unnamed"
faults_from contents "内容がなく、非開示の一覧にもないか、二重です" "its content is neither here nor listed as held back, or is listed twice" <"$tmp/unnamed"
withheld=$(awk -F'\t' '$2 == "withheld"' "$tmp/held" | wc -l | tr -d ' ')
shredded=$(awk -F'\t' '$2 == "shredded"' "$tmp/held" | wc -l | tr -d ' ')
say "内容: $(count "$tmp/found")件を照合、非開示${withheld}件、消去済み${shredded}件" \
  "contents: $(count "$tmp/found") held against their leaves, $withheld withheld, $shredded shredded"

# ---- the Statement of Applicability
if [ -f soa/soa.json ] && ! is_bad soa/soa.json; then
  awk '
    BEGIN { RS = "]" }
    match($0, /"leaves":\[[0-9,]*$/) { n = split(substr($0, RSTART + 10), leaf, ","); for (i = 1; i <= n; i++) if (leaf[i] != "") print leaf[i] }
  ' soa/soa.json | sort -un >"$tmp/pointed"
  awk -F'\t' 'FILENAME ~ /\/list$/ { if ($3 == "leaf") leaf[$4]; next } !($1 in leaf)' "$tmp/list" "$tmp/pointed" >"$tmp/astray"
  while IFS= read -r leaf; do
    fault soa soa/soa.json "葉${leaf}は束にありません" "points to leaf $leaf, which is not in the bundle"
  done <"$tmp/astray"
  say "適用宣言書: 参照する葉$(count "$tmp/pointed")件" "soa: points to $(count "$tmp/pointed") leaves"
fi

# ---- what outsiders signed
cosigned=0
awk -F'\t' '$3 == "cosignature" { print $1 }' "$tmp/list" >"$tmp/cosignatures"
while IFS= read -r path; do
  is_bad "$path" && continue
  sed -n 1p "$path" >"$tmp/witness.vkey"
  tail -n +3 "$path" >"$tmp/witness.note"
  key_type=04
  if [ "$(sed -n 2p "$path")" = "" ] && key_of "$tmp/witness.vkey" "$tmp/witness" 04 &&
    split_note "$tmp/witness.note" "$tmp/witness" && signed_by "$tmp/witness" "$tmp/witness"; then
    cosigned=$((cosigned + 1))
  else
    fault outside "$path" "立会人の署名が有効ではありません" "the witness's signature does not hold"
  fi
done <"$tmp/cosignatures"
stamps=$(awk -F'\t' '$3 == "timestamp"' "$tmp/list" | wc -l | tr -d ' ')
say "外部: 立会人の署名${cosigned}件が有効、タイムスタンプのファイル${stamps}件（未検証）" \
  "outside: $cosigned cosignatures hold, $stamps files of time stamps (not judged here)"
finish
