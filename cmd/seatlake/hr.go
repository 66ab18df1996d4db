package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"seatlake/extract/hr"
	"seatlake/extract/sheet"
)

// readHR reads the configured HR file; nil when none is configured. Rows without a
// tenant are employees of all tenants.
func readHR(cfg *Config) (*hr.File, error) {
	path := cfg.HR
	if path == "" {
		return nil, nil
	}
	file, err := hr.Read(path)
	var faulty *sheet.Error
	if errors.As(err, &faulty) {
		return nil, usage("%w", err)
	}
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return nil, usage("hr.file: %s: %w", path, err)
	}
	faulty = &sheet.Error{File: path}
	for _, e := range file.Employees {
		if e.Tenant != "" && !cfg.knowsTenant(e.Tenant) {
			text := fmt.Sprintf("tenant %q is not in the configuration; it has: %s", e.Tenant, strings.Join(cfg.tenantNames(), ", "))
			faulty.Faults = append(faulty.Faults, sheet.Fault{Line: e.Line, Text: text})
		}
	}
	if len(faulty.Faults) > 0 {
		return nil, usage("%w", faulty)
	}
	return file, nil
}
