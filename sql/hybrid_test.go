package sql

import (
	"fmt"
	"strings"
)

// installationDefaults are what a row of inventory_installations leaves out. A name
// of the user with an @ is an address, one with a / an account with its domain.
func installationDefaults(i int, row map[string]string) map[string]string {
	defaults := map[string]string{
		"file": "devices.csv", "line": fmt.Sprint(i + 2), "mapping": "csv", "platform": "windows",
		"product_family": "Microsoft 365 Apps", "product_rule": "a_rule", "product_name": "a product", "install_kind": "per_user",
		"device_key": "name:" + strings.ToLower(row["device_name"]),
	}
	if serial := row["serial_number"]; serial != "" {
		defaults["device_key"] = "serial:" + strings.ToLower(serial)
	}
	name := strings.ToLower(row["user_name"])
	if domain, account, ok := strings.Cut(name, "/"); ok {
		defaults["user_domain"], defaults["user_account"] = domain, account
	} else if strings.Contains(name, "@") {
		defaults["user_address"] = name
	} else {
		defaults["user_account"] = name
	}
	return defaults
}
