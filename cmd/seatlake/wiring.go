package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"seatlake/extract/catalog"
	"seatlake/extract/decode"
	"seatlake/extract/hr"
	"seatlake/extract/itam"
	"seatlake/extract/terms"
	"seatlake/pipeline"
	"seatlake/schemas"
	"seatlake/sql"
	"seatlake/transform"
	"seatlake/transform/seal"
)

// task is a part of a run that --task names.
type task string

// The tasks and the sources each reads.
const (
	taskLicenses task = "licenses" // what is bought
	taskRoster   task = "roster"   // who there is, what they hold, have activated and store
	taskAccess   task = "access"   // who used what, when
)

var taskSources = map[task][]string{
	taskLicenses: {pipeline.SubscribedSkus, pipeline.Subscriptions},
	taskRoster: {pipeline.ReportSettings, pipeline.Users, pipeline.ReportApps, pipeline.ReportActivations, pipeline.ReportMailboxes,
		pipeline.ReportOneDrives, pipeline.UserRegistrationDetails},
	taskAccess: {pipeline.ReportSettings, pipeline.ReportActiveUsers, pipeline.ReportEmail, pipeline.SignIns, pipeline.ReportCopilot, pipeline.NonInteractiveSignIns},
}

// allTasks are the tasks in the order in which a run asks for their sources.
var allTasks = []task{taskLicenses, taskRoster, taskAccess}

// optionalSource is a source that the configuration switches on and off.
type optionalSource struct {
	source string
	// wanted sources are read unless they are switched off. A run is whole without
	// them, for a tenant need not have them. The others are read only when they are
	// switched on, and are then missed when they are not there.
	wanted bool
}

// optionalSources are such sources by their key below sources in the configuration.
var optionalSources = map[string]optionalSource{
	"subscriptions":             {pipeline.Subscriptions, true},
	"user_registration_details": {pipeline.UserRegistrationDetails, true},
	"report_settings":           {pipeline.ReportSettings, true},
	"copilot_usage":             {pipeline.ReportCopilot, true},
	"non_interactive_sign_ins":  {pipeline.NonInteractiveSignIns, false},
}

// isOptional says that a run that asked for a source is whole without it.
func isOptional(source string) bool {
	o, _ := switchOf(source)
	return o.wanted
}

// switchOf is what switches a source on and off, if anything does.
func switchOf(source string) (o optionalSource, ok bool) {
	for _, o := range optionalSources {
		if o.source == source {
			return o, true
		}
	}
	return optionalSource{}, false
}

// signInRetention is how far back Graph keeps sign-ins of tenants with Entra ID
// P1 or P2 (graph-api: reference-reports-data-retention). Free tenants keep 7
// days; asking for more is answered with what there is.
const signInRetention = 30 * 24 * time.Hour

// signInOverlap is how far before its watermark a run reads sign-ins again,
// because some arrive late.
const signInOverlap = 24 * time.Hour

// byTime are the sources that are read by time, each from its own watermark.
var byTime = []string{pipeline.SignIns, pipeline.NonInteractiveSignIns}

// requests is what a run of the given tasks asks of Graph, without the optional
// sources that are switched off. Watermarks are by source.
func requests(tasks []task, off []string, now time.Time, watermarks map[string]time.Time) []pipeline.Request {
	var out []pipeline.Request
	for _, t := range allTasks {
		if len(tasks) > 0 && !slices.Contains(tasks, t) {
			continue
		}
		for _, source := range taskSources[t] {
			r := pipeline.Request{Source: source}
			if slices.Contains(off, source) || slices.ContainsFunc(out, func(r pipeline.Request) bool { return r.Source == source }) {
				continue
			}
			if slices.Contains(byTime, source) {
				r.Window, r.Unread = signInWindow(now.UTC(), watermarks[source].UTC())
			}
			out = append(out, r)
		}
	}
	return out
}

// signInWindow is the sign-ins a run asks for, in whole UTC days because it
// replaces whole days: from the watermark of the run before, less an overlap, or as
// far back as Graph keeps them. A day that Graph no longer keeps whole is left as an
// earlier run read it. A watermark that lies ahead by more than the overlap tells
// nothing, and all that Graph keeps is asked for. What lies between the watermark and
// the window was read by no run and never will be.
func signInWindow(now, watermark time.Time) (asked, unread pipeline.Window) {
	const day = 24 * time.Hour
	asked = pipeline.Window{From: now.Add(-signInRetention).Truncate(day), To: now.Truncate(time.Second)}
	if watermark.IsZero() {
		return asked, unread
	}
	again := watermark.Add(-signInOverlap)
	if again.After(now) {
		again = time.Time{} // of a clock that ran ahead: how far sign-ins were read is not known
		watermark = now
	}
	if kept := asked.From.Add(day); again.Before(kept) {
		asked.From = kept
	} else {
		asked.From = again.Truncate(day)
	}
	if watermark.Before(asked.From) {
		unread = pipeline.Window{From: watermark, To: asked.From}
	}
	return asked, unread
}

// parts are what a run's jobs are made of besides the run.
type parts struct {
	catalog *catalog.Catalog
	names   *catalog.ServiceMap
	rules   []transform.Rule
	key     *seal.Key // seals names; nil leaves them clear
}

// newParts loads the catalogue (a user's file, or the one in the program) and the
// rules that tell which sign-ins belong to a service.
func newParts(catalogFile string) (*parts, error) {
	c, err := loadCatalog(catalogFile)
	if err != nil {
		return nil, err
	}
	names, err := catalog.Map()
	if err != nil {
		return nil, err
	}
	seed, err := sql.SignInRules(nil)
	if err != nil {
		return nil, err
	}
	p := &parts{catalog: c, names: names}
	for _, r := range seed {
		p.rules = append(p.rules, transform.Rule{Name: r.Name, Match: r.Match, ID: r.ID, Service: r.Service})
	}
	return p, nil
}

// jobs is the parts list of one run: which source feeds which tables, through
// which transforms. It is the same for live pages and for kept ones.
func (p *parts) jobs(run pipeline.Run) ([]pipeline.Job, error) {
	tenantID, err := catalog.ParseGUID(run.TenantID)
	if err != nil {
		return nil, fmt.Errorf("tenant id of run %s: %w", run.ID, err)
	}
	stamp := func(t *schemas.Table) pipeline.Transform { return p.complete(t, tenantID, run.Started) }
	plans := &transform.TenantPlans{}
	hidden := &transform.Flag{Column: "display_concealed_names"} // names in reports
	report := func(job pipeline.Job, table *schemas.Table, then ...pipeline.Transform) pipeline.Job {
		return report(job, hidden, table, append(then, stamp(table))...)
	}

	var jobs []pipeline.Job
	for _, request := range run.Requests {
		job := pipeline.Job{Source: request.Source, Window: request.Window, Optional: isOptional(request.Source)}
		switch request.Source {
		case pipeline.SubscribedSkus:
			job.First = true // users' licences are told apart by the plans it lists
			job.Decoder = decode.For(schemas.GraphSubscribedSkus, decode.Options{})
			job.Shared = []pipeline.Transform{transform.Distinct("sku_id", transform.DistinctOptions{})}
			job.Outputs = []pipeline.Output{
				{Table: schemas.GraphSubscribedSkus, Through: []pipeline.Transform{stamp(schemas.GraphSubscribedSkus)}},
				{Table: schemas.GraphServicePlans, Through: []pipeline.Transform{transform.ServicePlans(), transform.Observe(plans), stamp(schemas.GraphServicePlans)}},
			}
		case pipeline.Users:
			job.Decoder = decode.For(schemas.GraphUsers, decode.Options{})
			job.Shared = []pipeline.Transform{transform.Distinct("id", transform.DistinctOptions{})}
			job.Outputs = []pipeline.Output{
				{Table: schemas.GraphUsers, Through: []pipeline.Transform{stamp(schemas.GraphUsers)}, Judge: judgeUsers},
				{Table: schemas.GraphUserLicenses, Through: []pipeline.Transform{transform.Licenses(entitlements{plans, p.catalog, p.names}), stamp(schemas.GraphUserLicenses)}},
			}
		case pipeline.SignIns:
			job = p.signIns(job, request, schemas.GraphSignIns, stamp(schemas.GraphSignIns))
		case pipeline.NonInteractiveSignIns:
			job = p.signIns(job, request, schemas.GraphNonInteractiveSignIns, stamp(schemas.GraphNonInteractiveSignIns))
		case pipeline.Subscriptions:
			job = collection(job, schemas.GraphSubscriptions, stamp(schemas.GraphSubscriptions))
		case pipeline.UserRegistrationDetails:
			job = collection(job, schemas.GraphUserRegistrationDetails, stamp(schemas.GraphUserRegistrationDetails))
		case pipeline.LicenseTerms:
			job = userFile(job, terms.NewDecoder(run.Tenant, run.TenantID, memory.DefaultAllocator), schemas.LicenseTerms, stamp(schemas.LicenseTerms))
		case pipeline.HrEmployees:
			job = userFile(job, hr.NewDecoder(run.Tenant, run.TenantID, memory.DefaultAllocator), schemas.HrEmployees, stamp(schemas.HrEmployees))
		case pipeline.LegacyLicenses:
			job = userFile(job, itam.NewDecoder(run.Tenant, run.TenantID, memory.DefaultAllocator), schemas.LegacyLicenses, stamp(schemas.LegacyLicenses))
		case pipeline.Inventory:
			decoder, judge := inventoryDecoder()
			job.Optional, job.Decoder = true, decoder
			job.Outputs = []pipeline.Output{{Table: schemas.InventoryInstallations, Through: []pipeline.Transform{stamp(schemas.InventoryInstallations)}, Judge: judge}}
		case pipeline.ReportSettings:
			job.First = true // reports are judged by it
			job.Decoder = decode.Entity(schemas.GraphReportSettings, decode.Options{})
			job.Shared = []pipeline.Transform{transform.Observe(hidden)}
			job.Outputs = []pipeline.Output{{Table: schemas.GraphReportSettings, Through: []pipeline.Transform{stamp(schemas.GraphReportSettings)}}}
		case pipeline.ReportActiveUsers:
			job = report(job, schemas.ReportOffice365ActiveUserDetail, transform.Activity())
		case pipeline.ReportEmail:
			job = report(job, schemas.ReportEmailActivityUserDetail)
		case pipeline.ReportApps:
			job = report(job, schemas.ReportM365AppUserDetail, transform.Devices())
		case pipeline.ReportActivations:
			job = report(job, schemas.ReportOffice365ActivationsUserDetail)
		case pipeline.ReportMailboxes:
			job = report(job, schemas.ReportMailboxUsageDetail)
		case pipeline.ReportOneDrives:
			job = report(job, schemas.ReportOneDriveUsageAccountDetail)
		case pipeline.ReportCopilot:
			job = report(job, schemas.ReportMicrosoft365CopilotUsageUserDetail)
			job.Decoder = decode.Either(schemas.ReportMicrosoft365CopilotUsageUserDetail, decode.Options{})
		default:
			return nil, fmt.Errorf("run %s reads source %q, which this program does not know; use the version of seatlake that kept it (%s)", run.ID, request.Source, run.Program)
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// complete makes rows of a table complete, and seals the names in them if names are to
// be sealed: nothing after it needs to read them.
func (p *parts) complete(t *schemas.Table, tenantID [16]byte, day time.Time) pipeline.Transform {
	stamp := transform.Stamp(t, tenantID, day)
	if p.key == nil {
		return stamp
	}
	return func(in pipeline.Stream) (pipeline.Stream, error) {
		rows, err := stamp(in)
		if err != nil {
			return pipeline.Stream{}, err
		}
		return p.key.Table(t)(rows)
	}
}

// signIns completes the job of a log of sign-ins.
func (p *parts) signIns(job pipeline.Job, request pipeline.Request, table *schemas.Table, stamp pipeline.Transform) pipeline.Job {
	job.Decoder = decode.For(table, decode.Options{})
	job.Outputs = []pipeline.Output{{Table: table, Judge: judgeSignIns(request.Unread), Through: []pipeline.Transform{
		transform.Within("created_date_time", request.Window),
		transform.Distinct("id", transform.DistinctOptions{Scope: "created_date_time"}),
		transform.SignInServices(p.rules),
		stamp,
	}}}
	return job
}

// userFile completes the job of a file that the user keeps, without which a run is
// whole.
func userFile(job pipeline.Job, decoder pipeline.Decoder, table *schemas.Table, stamp pipeline.Transform) pipeline.Job {
	job.Optional, job.Decoder = true, decoder
	job.Outputs = []pipeline.Output{{Table: table, Through: []pipeline.Transform{stamp}}}
	return job
}

// collection completes the job of a collection that feeds one table.
func collection(job pipeline.Job, table *schemas.Table, stamp pipeline.Transform) pipeline.Job {
	job.Decoder = decode.For(table, decode.Options{})
	job.Shared = []pipeline.Transform{transform.Distinct("id", transform.DistinctOptions{})}
	job.Outputs = []pipeline.Output{{Table: table, Through: []pipeline.Transform{stamp}}}
	return job
}

// report completes the job of a usage report, which may hide the names of users: the
// tenant's setting says so, or, where that cannot be read, the names themselves do.
func report(job pipeline.Job, hidden *transform.Flag, table *schemas.Table, then ...pipeline.Transform) pipeline.Job {
	concealment := transform.ConcealmentOf(table)
	job.Decoder = decode.For(table, decode.Options{})
	job.Outputs = []pipeline.Output{{
		Table:   table,
		Through: append([]pipeline.Transform{transform.Observe(concealment)}, then...),
		Judge: func(c *pipeline.Coverage, _ pipeline.Seen) {
			if c.State == pipeline.Complete && (hidden.Set || concealment.Concealed()) {
				c.State = pipeline.Concealed
				c.Reason = "the tenant hides names in reports, so that rows join no user: in the Microsoft 365 admin center, Settings > Org settings > Reports, clear \"Display concealed user, group, and site names in all reports\", and run again when it shows (minutes to hours)"
			}
		},
	}}
	return job
}

// judgeSignIns tells of sign-ins between two runs that Graph no longer had.
func judgeSignIns(unread pipeline.Window) func(*pipeline.Coverage, pipeline.Seen) {
	return func(c *pipeline.Coverage, _ pipeline.Seen) {
		if c.State == pipeline.Complete && !unread.IsZero() {
			c.State = pipeline.Partial
			c.Reason = fmt.Sprintf("sign-ins from %s to %s were read by no run, and Graph keeps them for 30 days only: run more often",
				unread.From.Format(time.RFC3339), unread.To.Format(time.RFC3339))
		}
	}
}

// judgeUsers tells a roster without sign-in activity from a whole one: the
// request itself says whether it was asked for.
func judgeUsers(c *pipeline.Coverage, seen pipeline.Seen) {
	if c.State == pipeline.Complete && !strings.Contains(seen.Request, "signInActivity") {
		c.State = pipeline.Partial
		c.Reason = "signInActivity is denied: grant AuditLog.Read.All to the application and have Entra ID P1 or P2; the sign-in columns are null"
	}
}

// fixed are the tables of the product catalogue.
func (p *parts) fixed() []pipeline.Fixed {
	return []pipeline.Fixed{
		{Table: schemas.CatalogSkus, Stream: func() pipeline.Stream { return p.catalog.SKUStream(memory.DefaultAllocator) }},
		{Table: schemas.CatalogServicePlans, Stream: func() pipeline.Stream { return p.catalog.PlanStream(memory.DefaultAllocator) }},
	}
}
