package main

import (
	"slices"

	"seatlake/extract/inventory"
)

// InventoryFile is an export of a device inventory.
type InventoryFile struct {
	File    string
	Mapping string // name of one in the program, or a path
	Tenant  string // configured name; empty when there is one tenant
}

// ITAM is what the ITAM tool has already.
type ITAM struct {
	LegacyLicenses string // list of licences that older integrations made there
}

// inventory gives the files of installed products. Tenants are compared with
// those of the configuration where the files are read.
func (r *reader) inventory(p place) []InventoryFile {
	var out []InventoryFile
	for _, at := range r.list(p) {
		keys := r.mapping(at, "file", "mapping", "tenant")
		f := InventoryFile{}
		if _, ok := r.required(keys["file"], "the export of a device inventory, CSV or XLSX"); ok {
			f.File = r.path(keys["file"])
		}
		if name, ok := r.required(keys["mapping"], "how the file is to be read: sccm, intune, jamf, lansweeper, glpi, csv, or the path of a mapping"); ok {
			f.Mapping = name
			if !slices.Contains(inventory.Layouts(), name) {
				f.Mapping = r.path(keys["mapping"])
			}
		}
		f.Tenant, _ = r.text(keys["tenant"])
		out = append(out, f)
	}
	return out
}

func (r *reader) itam(p place) ITAM {
	return ITAM{LegacyLicenses: r.path(r.mapping(p, "legacy_licenses")["legacy_licenses"])}
}
