package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/spf13/cobra"

	"seatlake/extract/catalog"
	"seatlake/extract/inventory"
	"seatlake/load/lake"
	"seatlake/load/parquet"
	"seatlake/pipeline"
	"seatlake/schemas"
	"seatlake/sql"
	"seatlake/transform"
)

func (a *app) inventoryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inventory",
		Short: "Look after exports of device inventories",
	}
	cmd.AddCommand(a.inventoryCheckCommand(), a.inventoryMappingCommand())
	return cmd
}

func (a *app) inventoryCheckCommand() *cobra.Command {
	var mapping, tenant string
	cmd := &cobra.Command{
		Use:   "check FILE --mapping NAME",
		Short: "Show how an export of a device inventory is read",
		Long: `Reads a file by a mapping and says which columns are which fields, which are not
read, how many rows are of known products, and which dates cannot be read. When the
lake has users, it says how many people of the file lead to one of them, and how.
Nothing is stored; that is done by a run with the file in the configuration.

A mapping is sccm, intune, jamf, lansweeper, glpi or csv, or the path of a YAML file.

Exit status: 0 when all could be used, 4 when something could not, 2 when the file or
the mapping cannot be understood.`,
		Example: "  seatlake inventory check installed.csv --mapping sccm\n  seatlake inventory check macs.xlsx --mapping macs.yaml --tenant contoso",
		Args:    cobra.ExactArgs(1),
		RunE: action(func(ctx context.Context, args []string) error {
			return a.checkInventory(ctx, args[0], mapping, tenant)
		}),
	}
	cmd.Flags().StringVar(&mapping, "mapping", "", "`name` of a mapping in the program, or the path of one")
	cmd.Flags().StringVar(&tenant, "tenant", "", "look people up in the tenant of this `name`; needed when several are configured")
	return cmd
}

func (a *app) inventoryMappingCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "mapping NAME",
		Short:     "Print a mapping of the program, to begin one of your own with",
		Example:   "  seatlake inventory mapping sccm > mine.yaml",
		Args:      cobra.ExactArgs(1),
		ValidArgs: inventory.Layouts(),
		RunE: action(func(_ context.Context, args []string) error {
			text, ok := inventory.Layout(args[0])
			if !ok {
				return usage("mapping %q is not in the program; there are %s", args[0], strings.Join(inventory.Layouts(), ", "))
			}
			_, err := a.out.Write(text)
			return err
		}),
	}
}

func (a *app) checkInventory(ctx context.Context, path, mapping, tenant string) error {
	if mapping == "" {
		return usage("--mapping is missing: %s, or the path of a mapping", strings.Join(inventory.Layouts(), ", "))
	}
	file, err := inventory.Open(path, mapping)
	if err != nil {
		return usage("%w", pathOf(path, err))
	}
	found, report, err := file.Read()
	if err != nil {
		return usage("%w", err)
	}
	tellReport(a.out, file, found, report)
	if err := a.tellPeople(ctx, file, tenant); err != nil {
		return err
	}
	if report.NoDevice > 0 || len(report.Dates) > 0 || !report.HasUser || report.Products == 0 {
		return &statusError{code: exitCheckFailed}
	}
	return nil
}

// tellReport says what became of a file's columns and rows.
func tellReport(w io.Writer, f *inventory.File, found []inventory.Installation, r *inventory.Report) {
	fmt.Fprintf(w, "%s, read by the mapping %s\n\ncolumns\n", f.Name(), f.Mapping.Name)
	for _, m := range r.Mapped {
		fmt.Fprintf(w, "  %-16s %s\n", m.Field, strings.Join(m.Headers, ", "))
	}
	if len(r.Unmapped) > 0 {
		fmt.Fprintf(w, "  %-16s %s\n", "not read", strings.Join(r.Unmapped, ", "))
	}
	if len(r.Absent) > 0 {
		fmt.Fprintf(w, "  %-16s %s\n", "absent", strings.Join(r.Absent, ", "))
	}
	fmt.Fprintf(w, "\nrows\n  %8d in the file\n  %8d of known products\n  %8d of other software\n", r.Rows, r.Products, r.Other)
	if r.Skipped > 0 {
		fmt.Fprintf(w, "  %8d left out by the mapping\n", r.Skipped)
	}
	devices := map[string]map[string]bool{}
	for _, i := range found {
		if devices[i.Family] == nil {
			devices[i.Family] = map[string]bool{}
		}
		devices[i.Family][i.DeviceKey] = true
	}
	fmt.Fprintln(w, "\nproducts")
	for _, family := range slices.Sorted(maps.Keys(devices)) {
		fmt.Fprintf(w, "  %8d devices with %s\n", len(devices[family]), family)
	}
	if r.NoDevice > 0 {
		fmt.Fprintf(w, "  %8d rows name no device and are not counted: export its name or serial number\n", r.NoDevice)
	}
	if r.Products == 0 {
		fmt.Fprintln(w, "  no row is of a known product: look at the column of product_name, or add rules under products: to a mapping of your own")
	}
	if !r.HasUser {
		fmt.Fprintln(w, "\nno column names the user, so that no installation joins one: export the user's sign-in name")
	}
	for _, d := range r.Dates {
		fmt.Fprintln(w, "\n"+d.String())
	}
}

// tellPeople looks the file's people up among the newest users of the lake. A lake
// that is not there yet is no error.
func (a *app) tellPeople(ctx context.Context, file *inventory.File, tenant string) error {
	cfg, lk, err := a.openLake(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintln(a.out, "\npeople are not looked up: there is no lake yet; `seatlake run` reads the users")
		return nil
	}
	if err != nil {
		return err
	}
	snapshot, err := lk.Snapshot(ctx, 0)
	if errors.Is(err, lake.ErrEmpty) {
		fmt.Fprintln(a.out, "\npeople are not looked up: the lake is empty; `seatlake run` reads the users")
		return nil
	}
	if err != nil {
		return err
	}
	name, err := tenantOf(cfg, tenant)
	if err != nil {
		return usage("--%w", err)
	}
	in := openedOf(cfg, lk, snapshot, nil).inputs
	i := slices.IndexFunc(in.Coverage, func(c sql.CoverageRow) bool {
		return strings.EqualFold(c.TenantName, name) && c.Table == schemas.GraphUsers.Name
	})
	if i < 0 || in.Coverage[i].LogicalDate == "" {
		fmt.Fprintf(a.out, "\npeople are not looked up: no users of tenant %s are in the lake\n", name)
		return nil
	}
	users := in.Coverage[i]
	dir, err := os.MkdirTemp("", "seatlake-inventory-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	stored := filepath.Join(dir, "installations.parquet")
	if err := a.storeInventory(ctx, file, users, stored); err != nil {
		return err
	}
	table := schemas.InventoryInstallations.Name
	in.Files[table] = []string{stored}
	in.Coverage = slices.DeleteFunc(in.Coverage, func(c sql.CoverageRow) bool { return c.Table == table && c.TenantID == users.TenantID })
	covered := users
	covered.Table, covered.State, covered.Reason = table, string(pipeline.Complete), ""
	in.Coverage = append(in.Coverage, covered)
	fmt.Fprintf(a.out, "\npeople, among the users of %s on %s\n", users.TenantName, users.LogicalDate)
	const query = `select outcome, coalesce(rule, ''), count(*), min(person_key) from main.int_inventory_persons where tenant_id = '%s' group by 1, 2 order by 1, 2`
	return sql.Preview(ctx, in, "int_inventory_persons", fmt.Sprintf(query, users.TenantID), sql.Options{MemoryLimit: cfg.DuckDB.MemoryLimit, Threads: cfg.DuckDB.Threads}, func(rows *sql.Rows) error {
		for row, err := range rows.All() {
			if err != nil {
				return err
			}
			outcome, rule, example := fmt.Sprint(row[0]), fmt.Sprint(row[1]), fmt.Sprint(row[3])
			fmt.Fprintf(a.out, "  %8d %s\n", row[2], peopleText(outcome, rule, strings.Split(example, "|")[0]))
		}
		return nil
	})
}

// peopleText says what became of some people of a file; example names one.
func peopleText(outcome, rule, example string) string {
	switch outcome {
	case "matched":
		return "are one user, by " + rule
	case "ambiguous":
		return fmt.Sprintf("may be several users, such as %q: none is chosen", example)
	case "unnamed":
		return "are not named"
	default:
		return fmt.Sprintf("are no user, such as %q", example)
	}
}

// storeInventory writes the file's installations as they would be stored with the
// given users.
func (a *app) storeInventory(ctx context.Context, file *inventory.File, users sql.CoverageRow, path string) (err error) {
	tenantID, err := catalog.ParseGUID(users.TenantID)
	if err != nil {
		return err
	}
	day, err := time.Parse(time.DateOnly, users.LogicalDate)
	if err != nil {
		return err
	}
	source := &inventory.Source{Files: []*inventory.File{file}, Observed: a.now().UTC()}
	stream := inventory.NewDecoder(memory.DefaultAllocator).Stream(source.Pages(ctx, pipeline.Inventory, pipeline.Window{}))
	if stream, err = transform.Stamp(schemas.InventoryInstallations, tenantID, day)(stream); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w, err := parquet.NewWriter(out, schemas.InventoryInstallations, parquet.Options{})
	if err != nil {
		return err
	}
	for batch, err := range stream.Batches {
		if err != nil {
			return err
		}
		if err := w.Write(batch); err != nil {
			return err
		}
	}
	return w.Close()
}
