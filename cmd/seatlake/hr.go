package main

import (
	"errors"
	"io/fs"

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
	file, err := hr.Read(path, cfg.knowsTenant)
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
	return file, nil
}
