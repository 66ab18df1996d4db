package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"seatlake/load/feed"
	"seatlake/sql"
)

const feedPositionsQuery = `
with tenants as (select tenant_id, max(tenant_name) as tenant_name from coverage group by 1)
select p.tenant_id, t.tenant_name, p.as_of_date, p.sku_id, p.sku_part_number, p.product_name, p.license_class, p.applies_to, p.capability_status,
  p.enabled_units, p.warning_units, p.suspended_units, p.locked_out_units, p.entitled_units, p.consumed_units, p.available_units,
  p.assigned_users, p.active_users, p.inactive_users, p.never_active_users, p.too_new_users, p.not_measurable_users
from license_positions as p join tenants as t using (tenant_id)
order by p.tenant_id, p.sku_id`

const feedTermsQuery = `
select c.tenant_id, c.sku_id, c.line, c.purchase_id, c.quantity, c.amount, c.unit_amount, c.annual_spend, c.currency, c.payment_frequency,
  c.effective_date, c.ending_date, c.vendor, c.contract, c.cost_centre
from license_costs as c join license_positions as p using (tenant_id, sku_id)
where c.term_status = 'in_force'
order by c.tenant_id, c.line`

const feedAssignmentsQuery = `
select a.tenant_id, a.user_id, a.sku_id, u.user_principal_name, a.sku_part_number, a.product_name, p.license_class,
  a.assigned_date, a.last_activity_date, a.activity_status, a.evidence
from license_assignments as a
join license_positions as p using (tenant_id, sku_id)
left join users as u using (tenant_id, user_id)
order by a.tenant_id, a.user_id, a.sku_id`

const feedHybridsQuery = `
with tenants as (select tenant_id, max(tenant_name) as tenant_name from coverage group by 1)
select h.tenant_id, t.tenant_name, h.product_family, h.as_of_date, h.entitled, h.assigned, h.activated, h.installed, h.installed_users, h.matched,
  h.unlicensed_users, h.unresolved_devices, h.consumed, h.entitlements, h.at_risk, h.availability, h.compliance_status, h.status_reason
from hybrid_positions as h join tenants as t using (tenant_id)
order by h.tenant_id, h.product_family`

// feedInstallationsQuery is what the newest inventories of each tenant have.
const feedInstallationsQuery = `
select i.tenant_id, i.device_key, i.device_name, i.serial_number, i.os, i.user_name, i.user_mail, i.install_kind,
  i.product_name, i.version, i.publisher, i.last_seen_date, i.install_date, i.last_used_date
from inventory_installations as i
join coverage as c on c.tenant_id = i.tenant_id and c.logical_date = i.snapshot_date
where c.table_name = 'inventory_installations' and c.is_current
order by i.tenant_id, i.file, i.line`

// facts reads what the profile is built of from the marts of one version.
func (d *delivery) facts(ctx context.Context) (*feed.Facts, error) {
	f := &feed.Facts{Version: int64(d.marts.Version)}
	err := d.read(ctx, feedPositionsQuery, []string{"coverage", "license_positions"}, func(c factRow) {
		f.Positions = append(f.Positions, feed.Position{
			TenantID: c.text(0), Tenant: c.text(1), AsOf: c.dayOf(2), SKUID: c.text(3), PartNumber: c.text(4), Product: c.text(5),
			Class: c.text(6), AppliesTo: c.text(7), Status: c.text(8),
			Enabled: c.whole(9), Warning: c.whole(10), Suspended: c.whole(11), LockedOut: c.whole(12),
			Entitled: c.whole(13), Consumed: c.whole(14), Available: c.whole(15), Assigned: c.whole(16),
			Active: c.whole(17), Inactive: c.whole(18), NeverActive: c.whole(19), TooNew: c.whole(20), NotMeasurable: c.whole(21),
		})
	})
	if err != nil {
		return nil, err
	}
	err = d.read(ctx, feedTermsQuery, []string{"license_costs", "license_positions"}, func(c factRow) {
		t := feed.Term{
			TenantID: c.text(0), SKUID: c.text(1), PurchaseID: c.text(3), Amount: feed.Decimal(c.text(5)), Annual: feed.Decimal(c.text(7)),
			Currency: c.text(8), Frequency: c.text(9), Effective: c.dayOf(10), Ending: c.day(11), Vendor: c.text(12), Contract: c.text(13), CostCentre: c.text(14),
		}
		t.Line, t.Quantity = *c.whole(2), *c.whole(4)
		if unit := c.text(6); unit != "" {
			t.UnitAmount = (*feed.Decimal)(&unit)
		}
		f.Terms = append(f.Terms, t)
	})
	if err == nil && d.profile.NeedsInstallations {
		err = d.installations(ctx, f)
	}
	if err == nil && d.profile.NeedsHybrids {
		err = d.hybrids(ctx, f)
	}
	if err != nil || !d.profile.NeedsAssignments {
		return f, err
	}
	return f, d.read(ctx, feedAssignmentsQuery, []string{"license_assignments", "license_positions", "users"}, func(c factRow) {
		f.Assignments = append(f.Assignments, feed.Assignment{
			TenantID: c.text(0), UserID: c.text(1), SKUID: c.text(2), UPN: c.text(3), PartNumber: c.text(4), Product: c.text(5), Class: c.text(6),
			AssignedDate: c.day(7), LastActivity: c.day(8), Status: c.text(9), Evidence: c.text(10),
		})
	})
}

func (d *delivery) hybrids(ctx context.Context, f *feed.Facts) error {
	return d.read(ctx, feedHybridsQuery, []string{"coverage", "hybrid_positions"}, func(c factRow) {
		f.Hybrids = append(f.Hybrids, feed.Hybrid{
			TenantID: c.text(0), Tenant: c.text(1), Family: c.text(2), AsOf: c.dayOf(3),
			Entitled: c.whole(4), Assigned: c.whole(5), Activated: c.whole(6), Installed: c.whole(7), InstalledUsers: c.whole(8), Matched: c.whole(9),
			UnlicensedUsers: c.whole(10), UnresolvedDevices: c.whole(11),
			Consumed: c.whole(12), Entitlements: c.whole(13), AtRisk: c.whole(14), Availability: c.whole(15), Status: c.text(16), StatusReason: c.text(17),
		})
	})
}

// installations reads what the device inventories have, which is a stored table.
func (d *delivery) installations(ctx context.Context, f *feed.Facts) error {
	o := &opened{inputs: d.opened.inputs, gold: map[string]string{"coverage": d.opened.gold["coverage"]}}
	return d.each(ctx, o, feedInstallationsQuery, func(c factRow) {
		f.Installations = append(f.Installations, feed.Installation{
			TenantID: c.text(0), DeviceKey: c.text(1), DeviceName: c.text(2), Serial: c.text(3), OS: c.text(4), User: c.text(5), Mail: c.text(6),
			Kind: c.text(7), Product: c.text(8), Version: c.text(9), Publisher: c.text(10), LastSeen: c.day(11), Installed: c.day(12), LastUsed: c.day(13),
		})
	})
}

// read gives each row of a query to fn, of the chosen tenant or of all; the first
// column is its id. marts are those that the query names.
func (d *delivery) read(ctx context.Context, query string, marts []string, fn func(factRow)) error {
	o := &opened{inputs: sql.Inputs{Version: d.opened.inputs.Version, RunID: d.opened.inputs.RunID, Fetch: d.opened.inputs.Fetch}, gold: map[string]string{}}
	for _, mart := range marts {
		path, ok := d.opened.gold[mart]
		if !ok {
			return fmt.Errorf("version %d has no mart %s; build it with `seatlake build`", d.marts.Version, mart)
		}
		o.gold[mart] = path
	}
	return d.each(ctx, o, query, fn)
}

func (d *delivery) each(ctx context.Context, o *opened, query string, fn func(factRow)) error {
	return sql.Query(ctx, o.inputs, o.gold, query, func(rows *sql.Rows) error {
		for row, err := range rows.All() {
			if err != nil {
				return err
			}
			if c := factRow(row); d.of == "" || c.text(0) == d.of {
				fn(c)
			}
		}
		return nil
	})
}

// factRow is a row of a query.
type factRow []any

func (c factRow) text(i int) string {
	s, _ := c[i].(string)
	return s
}

// whole is an integer of any width; wide ones come as text.
func (c factRow) whole(i int) *int64 {
	switch v := c[i].(type) {
	case int64:
		return &v
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return &n
		}
	}
	return nil
}

// count is an integer that is never null.
func (c factRow) count(i int) int64 {
	if n := c.whole(i); n != nil {
		return *n
	}
	return 0
}

func (c factRow) day(i int) *time.Time {
	t, ok := c[i].(time.Time)
	if !ok {
		return nil
	}
	return &t
}

func (c factRow) dayOf(i int) time.Time {
	t, _ := c[i].(time.Time)
	return t
}

// writeBeside writes a file for its place and gives its temporary name, in the same
// directory.
func writeBeside(dir, name string, body []byte) (temp string, err error) {
	f, err := os.CreateTemp(dir, "."+filepath.Base(name)+"-*") // 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(body)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

func sha256Hex(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
