(* Reads queries from stdin, one on each line, and prints the result of each according to the definitions of the theorems.

   A query consists of words: hexadecimal numbers, byte strings as a dot and hexadecimal digits, a count before repeated
   items, and 0 or 1 before an optional item. tests/support/formal.rs writes the queries. *)

open Ledger

let chars text = List.of_seq (String.to_seq text)
let text chars = String.of_seq (List.to_seq chars)
let sha256 bytes = chars (Sha256.hash (text bytes))

let words = ref []

let word () =
  match !words with
  | [] -> failwith "a word is missing"
  | word :: rest ->
      words := rest;
      word

let digit c =
  match c with
  | '0' .. '9' -> Char.code c - 48
  | 'a' .. 'f' -> Char.code c - 87
  | _ -> failwith "not hexadecimal"

let number () =
  let bits n c =
    List.fold_left
      (fun n bit -> if digit c land bit <> 0 then N.succ_double n else N.double n)
      n [ 8; 4; 2; 1 ]
  in
  List.fold_left bits N0 (chars (word ()))

let count () = int_of_string ("0x" ^ word ())

let bytes () =
  let word = word () in
  if word.[0] <> '.' then failwith "not a byte string";
  let byte i = Char.chr ((16 * digit word.[(2 * i) + 1]) + digit word.[(2 * i) + 2]) in
  List.init ((String.length word - 1) / 2) byte

let rec times n read = if n = 0 then [] else let first = read () in first :: times (n - 1) read
let list read () = times (count ()) read
let option read () = if count () = 0 then None else Some (read ())
let flag () = count () <> 0

let by_id read () =
  let id = number () in
  (id, read ())

let header () =
  let h_id = number () in
  let h_prev = bytes () in
  let h_ts = number () in
  let h_nentries = number () in
  let h_eh = bytes () in
  let h_bl = number () in
  let h_root = bytes () in
  let h_version = number () in
  let h_truncated = number () in
  let h_extra = bytes () in
  { h_id; h_prev; h_ts; h_nentries; h_eh; h_bl; h_root; h_version; h_truncated; h_extra }

let state () =
  let s_tx = number () in
  let s_hash = bytes () in
  { s_tx; s_hash }

let linear () =
  let l_source = number () in
  let l_target = number () in
  let l_terms = list bytes () in
  { l_source; l_target; l_terms }

let advance () =
  let a_terms = list bytes () in
  let a_inclusions = list (list bytes) () in
  { a_terms; a_inclusions }

let proof () =
  let p_source = option header () in
  let p_target = option header () in
  let p_inclusion = list bytes () in
  let p_consistency = list bytes () in
  let p_target_bl_alh = bytes () in
  let p_last_inclusion = list bytes () in
  let p_linear = option linear () in
  let p_advance = option advance () in
  { p_source; p_target; p_inclusion; p_consistency; p_target_bl_alh; p_last_inclusion; p_linear; p_advance }

let parts () =
  let headers = list (by_id header) () in
  let inclusions = list (by_id (list bytes)) () in
  { headers; inclusions }

let kv_metadata () =
  let m_deleted = flag () in
  let m_expires = option number () in
  let m_non_indexable = flag () in
  { m_deleted; m_expires; m_non_indexable }

let entry () =
  let e_key = bytes () in
  let e_metadata = kv_metadata () in
  let e_value_hash = bytes () in
  { e_key; e_metadata; e_value_hash }

let reference () =
  let r_tx = number () in
  let r_key = bytes () in
  let r_at = number () in
  let r_metadata = kv_metadata () in
  { r_tx; r_key; r_at; r_metadata }

let get_entry () =
  let g_tx = number () in
  let g_key = bytes () in
  let g_value = bytes () in
  let g_metadata = kv_metadata () in
  let g_reference = option reference () in
  { g_tx; g_key; g_value; g_metadata; g_reference }

let fault = function
  | Malformed -> "Malformed"
  | Inconsistent -> "Inconsistent"
  | Shrinks -> "TreeShrinks"
  | PartsNeeded -> "PartsNeeded"

let step = function
  | Header -> "Header"
  | Ids -> "Ids"
  | Alh -> "Alh"
  | Inclusion -> "Inclusion"
  | Consistency -> "Consistency"
  | LastInclusion -> "LastInclusion"
  | LinearProof -> "LinearProof"
  | LinearAdvance -> "LinearAdvance"
  | OnwardLink -> "OnwardLink"
  | Excuse -> "Excuse"

let verdict = function
  | Accepted -> "accepted"
  | Refused (at_step, why) -> step at_step ^ " " ^ fault why

let check = function None -> "accepted" | Some why -> fault why
let hex bytes = String.concat "" (List.map (fun c -> Printf.sprintf "%02x" (Char.code c)) bytes)

let answer () =
  match word () with
  | "verify" ->
      let source = state () in
      let target = state () in
      let proof = proof () in
      let parts = parts () in
      verdict (verify sha256 source target proof parts)
  | "excuse" ->
      let source = state () in
      let target = state () in
      verdict (excuse sha256 source target (list (by_id header) ()))
  | "header" ->
      let header = header () in
      if well_formed header then hex (alh sha256 header) else "Malformed"
  | "entries" ->
      let header = header () in
      check (verify_entries sha256 header (list entry ()))
  | "value" ->
      let entry = entry () in
      check (verify_value sha256 entry (bytes ()))
  | "get" ->
      let header = header () in
      let entry = get_entry () in
      let leaf = number () in
      let width = number () in
      check (verify_get sha256 header entry leaf width (list bytes ()))
  | "answer" ->
      let proof = proof () in
      let asked = number () in
      check (verify_answer sha256 proof asked (header ()))
  | other -> failwith ("unknown query: " ^ other)

let () =
  try
    while true do
      words := String.split_on_char ' ' (input_line stdin);
      let said = answer () in
      if !words <> [] then failwith "the query has too many words";
      print_endline said
    done
  with End_of_file -> ()
