// Package seal puts sealed text in the place of what names a person, on the way into
// a pseudonymised lake, and gives it back to who has the key.
//
// A sealed value is
//
//	seal1<domain><base32>[#ext#]
//
// in lower-case letters and digits, so that it survives lower(), CSV and file names.
// The same text of the same domain is always sealed alike, so that joins, groups and
// counts come out as they would of the clear text. A domain is a kind of names that are
// compared with each other: see domainOf.
//
// What a sealed value tells without the key: that two are equal; the length of the
// text in steps of 32 bytes; of a sign-in name, that it is a guest's, which #ext# says.
// What stands around the core of a text stays outside of the seal: blanks at its ends,
// the kind of an address (smtp:) and of a device key (serial:). So models may trim,
// lower-case and cut off prefixes, and get the sealed form of what they would have got.
//
// Names that are compared without regard to case are lower-cased before they are
// sealed: what Reveal gives back of them is in lower case.
//
// The construction is deterministic authenticated encryption by a synthetic IV: the
// first 16 bytes of HMAC-SHA-256 of the padded text are the IV of AES-256-CTR over it.
// Keys are derived from the one key by HKDF, two for each domain and two for pages.
//
// Object ids of the directory stay as they are: they are the directory's own
// pseudonyms, joins and writes to Graph need them, and who can resolve one can read the
// directory.
package seal
