package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/extract/inventory"
	"seatlake/extract/itam"
	"seatlake/extract/sheet"
	"seatlake/pipeline"
)

// readInventories checks the configured inventories and their mappings, rows and
// all. Each file is of one tenant, since a device that is counted for all of them
// is wrong.
func readInventories(cfg *Config) (map[string][]*inventory.File, error) {
	out := map[string][]*inventory.File{}
	seen := map[string]int{}
	var faults []error
	for i, c := range cfg.Inventory {
		fault := func(format string, args ...any) {
			faults = append(faults, fmt.Errorf("inventory[%d]: %w", i, fmt.Errorf(format, args...)))
		}
		tenant, err := tenantOf(cfg, c.Tenant)
		if err != nil {
			fault("%w", err)
			continue
		}
		f, err := inventory.Open(c.File, c.Mapping)
		if err != nil {
			fault("%w", pathOf(c.File, err))
			continue
		}
		if other, twice := seen[f.Name()+"\x00"+tenant]; twice {
			fault("%s has the name of inventory[%d]; rows are told apart by it, so rename one", c.File, other)
			continue
		}
		seen[f.Name()+"\x00"+tenant] = i
		if _, _, err := f.Read(); err != nil {
			fault("%w", err)
			continue
		}
		out[tenant] = append(out[tenant], f)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, usage("%w", err)
	}
	return out, nil
}

// tenantOf is the lower-case name of the tenant that a file is of.
func tenantOf(cfg *Config, name string) (string, error) {
	var names []string
	for _, t := range cfg.Tenants {
		if strings.EqualFold(t.Name, name) || name == "" && len(cfg.Tenants) == 1 {
			return strings.ToLower(t.Name), nil
		}
		names = append(names, t.Name)
	}
	if name == "" {
		return "", fmt.Errorf("tenant: must say whose the file is: %s", strings.Join(names, ", "))
	}
	return "", fmt.Errorf("tenant %q is not in the configuration; it has: %s", name, strings.Join(names, ", "))
}

// pathOf names the file of a file system's error.
func pathOf(path string, err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", path, at.Err)
	}
	return err
}

// readLegacyLicenses reads the configured list; nil when none is configured. Each
// licence says whose it is when there are several tenants.
func readLegacyLicenses(cfg *Config) (*itam.File, error) {
	path := cfg.ITAM.LegacyLicenses
	if path == "" {
		return nil, nil
	}
	file, err := itam.Read(path)
	if err != nil {
		return nil, usage("itam.legacy_licenses: %w", pathOf(path, err))
	}
	faulty := &sheet.Error{File: path}
	for _, l := range file.Licenses {
		if isGUID(strings.ToLower(l.Tenant)) {
			continue
		}
		if _, err := tenantOf(cfg, l.Tenant); err != nil {
			faulty.Faults = append(faulty.Faults, sheet.Fault{Line: l.Line, Text: "the column " + err.Error()})
		}
	}
	if len(faulty.Faults) > 0 {
		return nil, usage("%w", faulty)
	}
	return file, nil
}

// inventoryDecoder is the decoder of a run's inventories, and the judgement of what
// it could not use.
func inventoryDecoder() (*inventory.Decoder, func(*pipeline.Coverage, pipeline.Seen)) {
	d := inventory.NewDecoder(memory.DefaultAllocator)
	return d, func(c *pipeline.Coverage, _ pipeline.Seen) {
		if lost := d.Lost(); c.State == pipeline.Complete && len(lost) > 0 {
			c.State, c.Reason = pipeline.Partial, strings.Join(lost, "; ")
		}
	}
}
