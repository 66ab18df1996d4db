package feed

import (
	"errors"
	"time"
)

// fnmsInventory is the inventory spreadsheets: which of the licensed products stand
// on which device. The tool takes them for all there is, and removes what they lack.
// The columns below are those that Flexera's help pages state; the templates of a
// release have more, which stay empty. Since number and order of columns are fixed,
// the customer's own templates give them.
func fnmsInventory() *Profile {
	source := func(column string) string { return "inventory_installations." + column }
	return &Profile{
		Name: "fnms-inventory", Target: "Flexera ITAM / FlexNet Manager Suite: inventory spreadsheets", Formats: []Format{CSV, XLSX}, Absent: Deletes,
		Needs: []string{"inventory_installations"}, NeedsInstallations: true, Template: MayUseTemplate,
		Sheets: []Sheet{
			{
				Name: "Computer", Worksheet: "Computer", Key: []string{"tenant_id", "computer"}, Label: []string{"computer"}, unknownEmpty: true,
				Columns: []Column{
					{Name: "ComputerID", Field: "computer", Kind: Text, Required: true, Source: source("device_key")},
					{Name: "ComputerName", Field: "computer_name", Kind: Text, Max: 256, Required: true, Source: source("device_name, else device_key")},
					{Name: "DomainFlatName", Kind: Text, Max: 100, Source: "empty: of the device, and inventories state the user's"},
					{Name: "DomainQualifiedName", Kind: Text, Max: 100, Source: "empty, as DomainFlatName"},
					{Name: "BIOSUUID", Kind: Text, Source: "empty"},
					{Name: "OperatingSystem", Field: "os", Kind: Text, Max: 128, Source: source("os")},
					{Name: "ServicePack", Kind: Text, Max: 128, Source: "empty"},
					{Name: "EmailAddress", Field: "mail", Kind: Text, Max: 256, Source: source("user_mail")},
					{Name: "PhoneNumber", Kind: Text, Max: 128, Source: "empty"},
					{Name: "SerialNo", Field: "serial", Kind: Text, Labels: []string{"SerialNumber"}, TemplateOnly: true, Source: source("serial_number")},
					{Name: "InventoryDate", Field: "seen", Kind: Day, Labels: []string{"HardwareInventoryDate", "LastInventoryDate"}, TemplateOnly: true, Source: source("last_seen_date")},
					{Name: "LastLoggedOnUser", Field: "user", Kind: Text, Labels: []string{"UserName", "CalculatedUser"}, TemplateOnly: true, Source: source("user_name")},
				},
			},
			{
				Name: "InstallerEvidence", Worksheet: "InstallerEvidence", Key: []string{"tenant_id", "computer", "product", "version"}, Label: []string{"computer", "product", "version"}, unknownEmpty: true,
				Columns: []Column{
					{Name: "ComputerID", Field: "computer", Kind: Text, Required: true, Source: source("device_key")},
					{Name: "InstanceName", Kind: Text, Source: "empty: of databases only"},
					{Name: "DisplayName", Field: "product", Kind: Text, Max: 256, Required: true, Source: source("product_name")},
					{Name: "Version", Field: "version", Kind: Text, Max: 72, Source: source("version")},
					{Name: "Publisher", Field: "publisher", Kind: Text, Max: 200, Source: source("publisher")},
					{Name: "InstallDate", Field: "installed", Kind: Day, TemplateOnly: true, Source: source("install_date")},
					{Name: "LastUsedDate", Field: "used", Kind: Day, Labels: []string{"LastUsed"}, TemplateOnly: true, Source: source("last_used_date")},
					{Name: "UserName", Field: "user", Kind: Text, TemplateOnly: true, Source: source("user_name")},
				},
			},
		},
		fill: fillInventory,
	}
}

// fillInventory makes one computer of a device, whatever files and users name it,
// and one evidence of a product's version on it.
func fillInventory(f *Facts, _ Options) (*filled, error) {
	if len(f.Installations) == 0 {
		return nil, errors.New("the lake has no device inventory: name the exports under inventory in the configuration, and run again. Activations name no devices, so no computer can be made of them")
	}
	m := &filled{records: map[string][]record{}}
	computers, evidence := map[[2]string]record{}, map[[4]string]record{}
	for i := range f.Installations {
		n := &f.Installations[i]
		device := [2]string{n.TenantID, n.DeviceKey}
		c := computers[device]
		if c == nil {
			c = record{"tenant_id": n.TenantID, "computer": n.DeviceKey}
			computers[device] = c
			m.records["Computer"] = append(m.records["Computer"], c)
		}
		keep(c, "computer_name", n.DeviceName)
		keep(c, "os", n.OS)
		keep(c, "serial", n.Serial)
		if n.Kind == "per_user" { // a shared computer is nobody's
			keepOnly(c, "mail", n.Mail)
			keepOnly(c, "user", n.User)
		}
		keepLatest(c, "seen", n.LastSeen)
		found := [4]string{n.TenantID, n.DeviceKey, n.Product, n.Version}
		e := evidence[found]
		if e == nil {
			e = record{"tenant_id": n.TenantID, "computer": n.DeviceKey, "product": n.Product, "version": n.Version}
			evidence[found] = e
			m.records["InstallerEvidence"] = append(m.records["InstallerEvidence"], e)
		}
		keep(e, "publisher", n.Publisher)
		keepOnly(e, "user", n.User)
		if day, ok := e["installed"].(time.Time); n.Installed != nil && (!ok || n.Installed.Before(day)) {
			e["installed"] = *n.Installed
		}
		keepLatest(e, "used", n.LastUsed)
	}
	for _, c := range m.records["Computer"] {
		if c["computer_name"] == nil {
			c["computer_name"] = c["computer"]
		}
	}
	return m, nil
}

// keep gives a field its first text in the order of the texts, so that it does not
// depend on which row comes first.
func keep(r record, field, text string) {
	if text == "" {
		return
	}
	if there, ok := r[field].(string); !ok || text < there {
		r[field] = text
	}
}

// keepOnly gives a field its text as long as there is one: which of several users a
// device is of, nobody knows.
func keepOnly(r record, field, text string) {
	switch there := r[field]; {
	case text == "", r[field+" differs"] != nil:
	case there == nil:
		r[field] = text
	case there != text:
		r[field], r[field+" differs"] = nil, true
	}
}

func keepLatest(r record, field string, day *time.Time) {
	if day != nil && isAfter(*day, r[field]) {
		r[field] = *day
	}
}
