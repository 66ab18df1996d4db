package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"seatlake/extract/graph"
	"seatlake/pipeline"
)

func (a *app) doctorCommand() *cobra.Command {
	var tenants []string
	var format string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what a run would lack, and how to mend it, before any work",
		Long: `Signs in to each tenant and tries a cheap read of every source; looks at permissions,
Entra ID licence, names that are hidden in reports, hosts, clock, product catalogue,
and at the lake's directory and disk. It changes nothing: in the lake's directory it
makes files and removes them again.

Exit status: 0 all is well; 3 a run would have gaps; 1 a run would publish nothing;
2 usage or configuration. A finding of status warn costs no more than it says.`,
		Example: "  seatlake doctor\n  seatlake doctor --tenant contoso --format json",
		Args:    cobra.NoArgs,
		RunE: action(func(ctx context.Context, _ []string) error {
			if format != "table" && format != "json" {
				return usage("--format %q is not known; it is table or json", format)
			}
			cfg, err := a.config()
			if err != nil {
				return err
			}
			selected, err := selectTenants(cfg, tenants)
			if err != nil {
				return err
			}
			d := &doctor{app: a, cfg: cfg}
			if err := d.examine(ctx, selected); err != nil {
				return err
			}
			if err := d.print(format); err != nil {
				return err
			}
			return d.verdict(len(selected))
		}),
	}
	cmd.Flags().StringArrayVar(&tenants, "tenant", nil, "look at the tenant of this `name` only; may be repeated")
	cmd.Flags().StringVar(&format, "format", "table", "table or json")
	return cmd
}

// finding is what one check came to.
type finding struct {
	Tenant string `json:"tenant,omitempty"` // empty for what concerns all tenants
	Check  string `json:"check"`
	Status string `json:"status"` // ok, warn or fault
	Found  string `json:"finding"`
	Costs  string `json:"costs,omitempty"` // what a run would lack
	Cure   string `json:"cure,omitempty"`
}

// The statuses of a finding.
const (
	healthy = "ok"
	warning = "warn"  // worth knowing; a run is whole all the same
	ailment = "fault" // a run would have gaps, or publish nothing
)

// doctor examines tenants and surroundings.
type doctor struct {
	*app
	cfg      *Config
	parts    *parts
	findings []finding
	lost     int  // tenants of which nothing can be read
	homeless bool // the lake cannot be written
}

func (d *doctor) say(f finding) { d.findings = append(d.findings, f) }

// examine makes every check. Its error is that of a check that cannot be made.
func (d *doctor) examine(ctx context.Context, tenants []Tenant) error {
	if err := d.catalogue(); err != nil {
		return err
	}
	d.lake(ctx)
	for _, t := range tenants {
		p, err := d.begin(t)
		if err != nil {
			return err
		}
		p.examine(ctx)
		p.client.Close()
		if p.lost {
			d.lost++
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// verdict is the exit status.
func (d *doctor) verdict(tenants int) error {
	switch {
	case d.homeless || d.lost == tenants:
		return &statusError{code: exitNothing, err: errors.New("a run would publish nothing; see the faults above")}
	case slices.ContainsFunc(d.findings, func(f finding) bool { return f.Status == ailment }):
		return &statusError{code: exitGaps, err: errors.New("a run would have gaps; see the faults above")}
	}
	return nil
}

func (d *doctor) print(format string) error {
	if format == "json" {
		out := json.NewEncoder(d.out)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		return out.Encode(d.findings)
	}
	width := 0
	for _, f := range d.findings {
		width = max(width, len(f.Check))
	}
	for i, f := range d.findings {
		if i > 0 && f.Tenant != d.findings[i-1].Tenant {
			fmt.Fprintln(d.out)
		}
		if i == 0 || f.Tenant != d.findings[i-1].Tenant {
			title := "This machine"
			if f.Tenant != "" {
				title = "Tenant " + f.Tenant
			}
			fmt.Fprintln(d.out, title)
		}
		fmt.Fprintf(d.out, "  %-5s  %-*s  %s\n", f.Status, width, f.Check, f.Found)
		for _, more := range [][2]string{{"costs", f.Costs}, {"cure", f.Cure}} {
			if more[1] != "" {
				fmt.Fprintf(d.out, "  %-5s  %-*s  %s: %s\n", "", width, "", more[0], more[1])
			}
		}
	}
	return nil
}

// examined is one tenant under examination.
type examined struct {
	*doctor
	tenant Tenant
	client *graph.Client
	roles  []string            // that the token carries
	tables map[string][]string // by source
	lost   bool                // nothing can be read
}

// longestPatience is how long doctor waits when Graph asks for patience.
const longestPatience = 5 * time.Second

func (d *doctor) begin(t Tenant) (*examined, error) {
	client, err := graph.New(graph.Config{
		Tenant: t.Name, Graph: t.Cloud.Graph, Login: t.Cloud.Login, DirectoryID: t.ID,
		ClientID: t.Auth.ClientID, Credential: t.credential(),
		ReportHosts: t.reportHosts(),
		Now:         d.now, Attempts: 2, Silence: 20 * time.Second, UserAgent: "seatlake/" + version(),
		Sleep: func(ctx context.Context, wait time.Duration) error { return d.wait(ctx, min(wait, longestPatience)) },
	})
	if err != nil {
		return nil, err
	}
	tables, err := d.parts.tables()
	if err != nil {
		return nil, err
	}
	return &examined{doctor: d, tenant: t, client: client, tables: tables}, nil
}

// wait is the program's patience.
func (a *app) wait(ctx context.Context, d time.Duration) error {
	if a.sleep != nil {
		return a.sleep(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *examined) say(f finding) {
	f.Tenant = p.tenant.Name
	p.doctor.say(f)
}

// examine signs in, then tries every source.
func (p *examined) examine(ctx context.Context) {
	defer p.consent()
	var err error
	if p.roles, err = p.client.Roles(ctx); err != nil {
		p.lost = true
		p.signIn(err)
		return
	}
	found := fmt.Sprintf("signed in; the token carries %d permissions", len(p.roles))
	p.say(finding{Check: "sign_in", Status: healthy, Found: found})

	seen := map[string]error{}
	var clock, reports graph.Probe
	for _, source := range probed {
		if slices.Contains(p.cfg.Off, source) {
			continue
		}
		probe, err := p.client.Probe(ctx, source)
		if clock.Date.IsZero() {
			clock = probe
		}
		if source == pipeline.ReportActivations {
			reports = probe
		}
		gap, refused := pipeline.AsGap(err)
		if err != nil && !refused {
			p.unreachable(source, err)
			return
		}
		if refused && gap.State == pipeline.Missing {
			f := finding{Check: source, Status: warning, Found: gap.Reason, Costs: p.costs(source)}
			if !isOptional(source) {
				f.Status = ailment
			}
			p.say(f)
			continue
		}
		if err == nil && probe.Note != "" {
			err = errPartly
		}
		seen[source] = err
	}
	p.lost = !slices.ContainsFunc(probed, func(source string) bool {
		err, tried := seen[source]
		return tried && !isOptional(source) && (err == nil || errors.Is(err, errPartly))
	})
	p.permissions(seen)
	p.writing(ctx)
	if err, tried := seen[pipeline.ReportSettings]; tried && err == nil {
		p.concealment(ctx)
	}
	p.reportHost(reports)
	p.clock(clock)
}

// probed are the sources that are tried: every one but those of the usage reports,
// which share a permission and of which one stands for all.
var probed = []string{
	pipeline.SubscribedSkus, pipeline.Users, pipeline.ReportActivations, pipeline.SignIns,
	pipeline.ReportSettings, pipeline.UserRegistrationDetails, pipeline.Subscriptions, pipeline.NonInteractiveSignIns,
}

// errPartly says that users are readable, and their sign-in activity is not.
var errPartly = errors.New("sign-in activity is denied")

// signIn tells of a sign-in that failed.
func (p *examined) signIn(err error) {
	f := finding{Check: "sign_in", Status: ailment, Found: err.Error(), Costs: "every table of the tenant"}
	if e, ok := errors.AsType[*graph.AuthError](err); ok {
		if e.Status == 0 && e.Err != nil {
			f.Check = "login_host"
			f.Cure = "check that " + p.tenant.Cloud.Login + " can be reached from here: name resolution, proxy, firewall"
		} else {
			f.Cure = e.Hint
			f.Found = strings.TrimSuffix(e.Error(), "; "+e.Hint)
		}
	}
	p.say(f)
}

// unreachable tells of a source that fails in a way that ends a run.
func (p *examined) unreachable(source string, err error) {
	p.lost = true
	f := finding{
		Check: "graph_host", Status: ailment, Found: err.Error(), Costs: "every table of the tenant: a run would end here",
		Cure: "check that " + p.tenant.Cloud.Graph + " can be reached from here: name resolution, proxy, firewall",
	}
	if e, ok := errors.AsType[*graph.Error](err); ok {
		f.Check, f.Cure = source, e.Hint
	}
	p.say(f)
}

// permission is an application permission: what grants it besides itself, and what
// the marts lack without it.
type permission struct {
	name    string
	also    []string
	columns string
}

// permissions are those a run makes use of. None of them can write.
var permissions = []permission{
	{"LicenseAssignment.Read.All", []string{"LicenseAssignment.ReadWrite.All", "Organization.Read.All", "Organization.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"},
		"license_positions has no units, and licences are told apart by the product catalogue in place of the tenant's own plans"},
	{"User.Read.All", []string{"User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"},
		"users, license_assignments and license_activity have no rows"},
	{"Reports.Read.All", nil,
		"users lacks activations, mail_usage_mb, onedrive_usage_mb and the device flags; use of Exchange, OneDrive, SharePoint, Skype for Business, Yammer, Teams and Outlook is not measurable"},
	{auditLog, nil,
		"users lacks last_sign_in_at and is_mfa_registered; use of Dynamics 365, Power BI, Project and Visio, and of licences that are judged by sign-in, is not measurable"},
	{"ReportSettings.Read.All", []string{"ReportSettings.ReadWrite.All"},
		"whether reports hide names is told by the names alone"},
	{"Organization.Read.All", []string{"Organization.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"},
		"no dates of renewal and expiry"},
}

const auditLog = "AuditLog.Read.All"

// columnsOf is what the marts lack without a permission.
func columnsOf(name string) string {
	i := slices.IndexFunc(permissions, func(p permission) bool { return p.name == name })
	return permissions[i].columns
}

// permissions tells of each permission by what the reads it is for came to, since a
// token may be granted the same by another permission.
func (p *examined) permissions(seen map[string]error) {
	premium := true
	for _, needs := range permissions {
		var lost []string
		status, asked := warning, false
		for _, source := range probed {
			err, tried := seen[source]
			partly := errors.Is(err, errPartly)
			switch {
			case !tried:
			case partly && needs.name == auditLog:
				lost, status = append(lost, "the sign-in columns of graph_users"), ailment
			case graph.Permission(source) != needs.name:
			case err == nil || partly:
				asked = true
			case notPremium(err):
				asked, premium = true, false
			default:
				asked, lost = true, append(lost, p.costs(source))
				if !isOptional(source) {
					status = ailment
				}
			}
		}
		costs := strings.Join(append(lost, needs.columns), "; ")
		granted := slices.ContainsFunc(append([]string{needs.name}, needs.also...), func(r string) bool { return slices.Contains(p.roles, r) })
		switch {
		case !asked:
		case len(lost) == 0, !premium && needs.name == auditLog: // sign-in activity is denied for the same reason
			p.say(finding{Check: needs.name, Status: healthy, Found: "granted"})
		case granted:
			p.say(finding{Check: needs.name, Status: status, Found: "granted, and refused all the same", Costs: costs, Cure: p.role()})
		default:
			p.say(finding{Check: needs.name, Status: status, Found: "the permission is missing", Costs: costs, Cure: p.grant(needs.name)})
		}
	}
	if !premium {
		p.say(finding{
			Check: "entra_premium", Status: ailment, Found: "the tenant has no Entra ID P1 or P2 licence, without which Graph keeps sign-ins closed",
			Costs: p.costs(pipeline.SignIns, pipeline.NonInteractiveSignIns, pipeline.UserRegistrationDetails) + "; " + columnsOf(auditLog),
			Cure:  "buy one licence of Entra ID P1; until then these services are not measurable, and nobody is called idle by them",
		})
	}
}

// notPremium says that Graph keeps a source closed to tenants without a licence.
func notPremium(err error) bool {
	e, ok := errors.AsType[*graph.Error](err)
	return ok && e.Code == "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
}

// costs names the tables that sources feed.
func (p *examined) costs(sources ...string) string {
	if slices.Contains(sources, pipeline.ReportActivations) { // it stands for all reports
		sources = reportSources()
	}
	var tables []string
	for _, source := range sources {
		if !slices.Contains(p.cfg.Off, source) {
			tables = append(tables, p.tables[source]...)
		}
	}
	return "tables " + strings.Join(tables, ", ")
}

// reportSources are the sources that take the same permission as usage reports.
func reportSources() []string {
	var out []string
	for _, r := range everySource() {
		if graph.Permission(r.Source) == graph.Permission(pipeline.ReportActivations) {
			out = append(out, r.Source)
		}
	}
	return out
}

// everySource is what a run of all tasks would ask for.
func everySource() []pipeline.Request { return requests(nil, nil, time.Time{}, nil) }

// tables names the tables that each source feeds.
func (p *parts) tables() (map[string][]string, error) {
	const nobody = "00000000-0000-0000-0000-000000000000"
	jobs, err := p.jobs(pipeline.Run{TenantID: nobody, Requests: everySource()})
	if err != nil {
		return nil, err
	}
	tables := map[string][]string{}
	for _, job := range jobs {
		for _, out := range job.Outputs {
			tables[job.Source] = append(tables[job.Source], out.Table.Name)
		}
	}
	return tables, nil
}

// grant is how a permission is granted.
func (p *examined) grant(name string) string {
	cure := "add " + name + " to the application's Microsoft Graph permissions and have an administrator grant consent"
	if link := p.consentLink(); link != "" {
		cure += ": " + link
	}
	return cure
}

// role is what to do when a permission is there and does not help.
func (p *examined) role() string {
	if p.person() {
		return "the person who signed in lacks a role that goes with it: assign Reports Reader (usage reports, sign-ins) or Global Reader (the directory) in Microsoft Entra, and sign in again"
	}
	return "a grant takes some minutes to be known everywhere: try again; if it stays, consent again, and look for a policy that blocks the application"
}

// person says that somebody has signed in, and not an application.
func (p *examined) person() bool {
	return p.tenant.Auth.Method == "authorization_code" || p.tenant.Auth.Method == "device_code"
}

// concealment tells whether reports hide names.
func (p *examined) concealment(ctx context.Context) {
	for page, err := range p.client.Pages(ctx, pipeline.ReportSettings, pipeline.Window{}) {
		var setting struct{ DisplayConcealedNames *bool }
		var text []byte
		if err == nil {
			text, err = page.Text()
		}
		if err == nil {
			err = json.Unmarshal(text, &setting)
		}
		switch {
		case err != nil:
			p.say(finding{Check: "concealed_names", Status: warning, Found: "the setting cannot be read: " + err.Error()})
		case setting.DisplayConcealedNames != nil && *setting.DisplayConcealedNames:
			p.say(finding{
				Check: "concealed_names", Status: ailment, Found: "usage reports hide the names of users",
				Costs: "rows of usage reports join no user: " + columnsOf(graph.Permission(pipeline.ReportActivations)),
				Cure:  "in the Microsoft 365 admin center, Settings > Org settings > Reports, clear \"Display concealed user, group, and site names in all reports\"; it shows after minutes to hours",
			})
		default:
			p.say(finding{Check: "concealed_names", Status: healthy, Found: "usage reports show names"})
		}
	}
}

// reportHost tells whether the host that reports are downloaded from can be reached.
func (p *examined) reportHost(probe graph.Probe) {
	switch {
	case probe.Host == "" && probe.Unreachable == nil: // reports are refused, or come in the answer itself
	case probe.Unreachable != nil:
		p.say(finding{
			Check: "report_host", Status: ailment, Found: probe.Host + ": " + probe.Unreachable.Error(),
			Costs: "every table of the tenant: a run would end here",
			Cure:  "let https://*.office.com be reached from here: name resolution, proxy, firewall",
		})
	default:
		p.say(finding{Check: "report_host", Status: healthy, Found: probe.Host + " answers"})
	}
}

// mostSkew is how far our clock may be from Graph's.
const mostSkew = 5 * time.Minute

func (p *examined) clock(probe graph.Probe) {
	if probe.Date.IsZero() {
		return
	}
	skew := probe.Own.Sub(probe.Date)
	f := finding{Check: "clock", Status: healthy, Found: fmt.Sprintf("within %s of Graph's", max(skew.Abs().Truncate(time.Second), time.Second))}
	if skew.Abs() > mostSkew {
		f = finding{
			Check: "clock", Status: ailment, Found: fmt.Sprintf("this machine's clock says %s, Graph's %s", probe.Own.Format(time.RFC3339), probe.Date.Format(time.RFC3339)),
			Costs: "tokens may be refused, sign-ins missed, and days be wrong",
			Cure:  "let the clock be set by NTP",
		}
	}
	p.say(f)
}

// consent tells where an administrator grants the permissions.
func (p *examined) consent() {
	if link := p.consentLink(); link != "" {
		p.say(finding{Check: "admin_consent", Status: healthy, Found: "an administrator grants the application's permissions at " + link})
	}
}

// consentLink is empty for a machine's own identity, which has no application to
// consent to.
func (p *examined) consentLink() string {
	if p.tenant.Auth.ClientID == "" {
		return ""
	}
	return fmt.Sprintf("%s/%s/adminconsent?client_id=%s&redirect_uri=http://localhost", p.tenant.Cloud.Login, p.tenant.ID, p.tenant.Auth.ClientID)
}

// oldCatalogue is the age from which a catalogue is likely to lack products.
const oldCatalogue = 180 * 24 * time.Hour

// catalogue reads the product catalogue and tells its age.
func (d *doctor) catalogue() (err error) {
	if d.parts, err = newParts(d.cfg.Catalog); err != nil {
		return err
	}
	f := finding{Check: "catalogue", Status: healthy, Found: "the product catalogue is of " + d.parts.catalog.Date}
	day, err := time.Parse(time.DateOnly, d.parts.catalog.Date)
	switch {
	case err != nil:
		f.Found = "the product catalogue has no date"
	case d.now().Sub(day) > oldCatalogue:
		f.Status = warning
		f.Found += fmt.Sprintf(", %d days old", int(d.now().Sub(day).Hours()/24))
		f.Costs = "products that are newer go by their part number, and plans that are newer entitle no service"
		f.Cure = "download Microsoft's list \"Product names and service plan identifiers for licensing\" and run `seatlake catalog update FILE`"
	}
	d.say(f)
	return nil
}

// Free space of the lake's disk below which a run is in danger, and in trouble.
const (
	lowSpace = 2 << 30
	noSpace  = 256 << 20
)

// lake tells whether the lake's directory can be written, and how much room it has.
func (d *doctor) lake(ctx context.Context) {
	if d.cfg.place().Dir() == "" {
		d.bucket(ctx)
		return
	}
	dir, err := probeDirectory(d.cfg.Lake)
	if err != nil {
		d.homeless = true
		d.say(finding{
			Check: "lake", Status: ailment, Found: err.Error(), Costs: "nothing can be published",
			Cure: "give this user the right to make, write and link files there, or name another directory as lake in " + d.cfg.Path,
		})
		return
	}
	d.say(finding{Check: "lake", Status: healthy, Found: dir + " takes files, links and fsync"})
	d.disk(dir)
}

// disk tells how much room is where a directory is.
func (d *doctor) disk(dir string) {
	free, err := freeSpace(dir)
	f := finding{Check: "disk", Status: healthy, Found: humanize.IBytes(free) + " are free"}
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return
	case err != nil:
		f = finding{Check: "disk", Status: warning, Found: err.Error()}
	case free < lowSpace:
		f.Status, f.Costs, f.Cure = warning, "a run that finds no room publishes nothing", "make room, or keep raw pages for less long (raw.retain)"
		if free < noSpace {
			f.Status = ailment
		}
	}
	d.say(f)
}
