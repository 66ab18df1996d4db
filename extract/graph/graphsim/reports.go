package graphsim

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"strings"
)

// reportKind is one usage report.
type reportKind struct {
	function string
	period   bool // takes period='D30'
	header   string
	rows     func(t *Tenant, w *record)
}

const serviceColumns = "Exchange,OneDrive,SharePoint,Skype For Business,Yammer,Teams"

// eachService repeats a column for the six services of the active user report.
func eachService(format string) string {
	var cols []string
	for s := range strings.SplitSeq(serviceColumns, ",") {
		cols = append(cols, strings.ReplaceAll(format, "*", s))
	}
	return strings.Join(cols, ",")
}

var officeApps = []string{"Outlook", "Word", "Excel", "PowerPoint", "OneNote", "Teams"}

var platforms = []string{"Windows", "Mac", "Mobile", "Web"}

func appColumns() string {
	cols := slices.Concat(platforms, officeApps)
	for _, p := range platforms {
		for _, a := range officeApps {
			cols = append(cols, a+" ("+p+")")
		}
	}
	return strings.Join(cols, ",")
}

// reportKinds are the reports the tenant has. Headers are those seen on the wire.
var reportKinds = []reportKind{
	{"getOffice365ActiveUserDetail", true,
		"Report Refresh Date,User Principal Name,Display Name,Is Deleted,Deleted Date," + eachService("Has * License") + "," +
			eachService("* Last Activity Date") + "," + eachService("* License Assign Date") + ",Assigned Products", (*Tenant).activeUsers},
	{"getEmailActivityUserDetail", true,
		"Report Refresh Date,User Principal Name,Display Name,Is Deleted,Deleted Date,Last Activity Date,Send Count,Receive Count,Read Count," +
			"Meeting Created Count,Meeting Interacted Count,Assigned Products,Report Period", (*Tenant).emailActivity},
	{"getM365AppUserDetail", true,
		"Report Refresh Date,User Principal Name,Last Activation Date,Last Activity Date,Report Period," + appColumns(), (*Tenant).appUse},
	{"getOffice365ActivationsUserDetail", false,
		"Report Refresh Date,User Principal Name,Display Name,Product Type,Last Activated Date,Windows,Mac,Windows 10 Mobile,iOS,Android," +
			"Activated On Shared Computer", (*Tenant).activations},
	{"getMailboxUsageDetail", true,
		"Report Refresh Date,User Principal Name,Display Name,Is Deleted,Deleted Date,Created Date,Last Activity Date,Item Count," +
			"Storage Used (Byte),Issue Warning Quota (Byte),Prohibit Send Quota (Byte),Prohibit Send/Receive Quota (Byte)," +
			"Deleted Item Count,Deleted Item Size (Byte),Deleted Item Quota (Byte),Has Archive,Report Period", (*Tenant).mailboxes},
	{oneDriveReport, true,
		"Report Refresh Date,Site Id,Site URL,Owner Display Name,Is Deleted,Last Activity Date,File Count,Active File Count," +
			"Storage Used (Byte),Storage Allocated (Byte),Owner Principal Name,Report Period", (*Tenant).sites},
}

const oneDriveReport = "getOneDriveUsageAccountDetail"

func findReport(function string) (*reportKind, bool) {
	if function == copilotReport.function {
		return &copilotReport, true
	}
	i := slices.IndexFunc(reportKinds, func(k reportKind) bool { return k.function == function })
	if i < 0 {
		return nil, false
	}
	return &reportKinds[i], true
}

// record writes one report, row by row, in the tenant's order of columns.
type record struct {
	t      *Tenant
	out    io.Writer
	err    error
	period string // days, for the Report Period column
	order  []int  // cells in the order they are written, inserted for an unknown one
	b      []byte // cells of the row
	ends   []int
	buf    []byte // rows not yet written out
}

const inserted = -1

// writeReport writes a whole report: byte order mark, CRLF, rows, and two blank lines
// at the end.
func (t *Tenant) writeReport(out io.Writer, kind *reportKind, period string) error {
	cols := strings.Split(kind.header, ",")
	w := &record{t: t, out: out, period: period}
	for i := range cols {
		if kind.function == oneDriveReport && t.o.DocumentedOneDriveHeader && cols[i] == "Site Id" {
			continue
		}
		if kind.function == copilotReport.function && (t.o.CopilotV1 || t.o.CopilotFirst || t.o.CopilotJSON) && i >= copilotColumns {
			continue
		}
		w.order = append(w.order, i)
	}
	if t.o.InsertColumns {
		w.order = slices.Insert(w.order, len(w.order)/2, inserted)
	}
	if t.o.ShuffleColumns {
		r := newRandom(t.o.Seed, forShuffle, uint64(len(kind.function)))
		for i := len(w.order) - 1; i > 0; i-- {
			j := r.below(i + 1)
			w.order[i], w.order[j] = w.order[j], w.order[i]
		}
	}
	w.buf = append(w.buf, "\ufeff"...)
	for _, c := range cols {
		w.text(c)
	}
	w.end("Whiteboard Last Activity Date")
	kind.rows(t, w)
	w.buf = append(w.buf, "\r\n\r\n"...)
	w.flush()
	return w.err
}

func (w *record) cell()         { w.ends = append(w.ends, len(w.b)) }
func (w *record) text(s string) { w.b = append(w.b, s...); w.cell() }
func (w *record) day(day int)   { w.b = appendDay(w.b, day); w.cell() }
func (w *record) number(n int)  { w.b = strconv.AppendInt(w.b, int64(n), 10); w.cell() }
func (w *record) blank(n int) {
	for range n {
		w.cell()
	}
}

func (w *record) truth(v bool) {
	if v {
		w.text("True")
	} else {
		w.text("False")
	}
}

func (w *record) yes(v bool) {
	if v {
		w.text("Yes")
	} else {
		w.text("No")
	}
}

// secret writes a name, or its hash when the tenant conceals names.
func (w *record) secret(s, field string) {
	if w.t.o.Concealed && s != "" {
		w.b = w.t.appendHash(w.b, s, field)
	} else {
		w.b = append(w.b, s...)
	}
	w.cell()
}

// appendHash writes the 32 upper-case hex digits that stand for a concealed name.
func (t *Tenant) appendHash(b []byte, s, field string) []byte {
	h := t.o.Seed
	for _, part := range []string{field, strings.ToLower(s)} {
		for i := range len(part) {
			h = mix(h ^ uint64(part[i]))
		}
	}
	r := newRandom(h, forHash, 0)
	for range 2 {
		x := r.next()
		for shift := 60; shift >= 0; shift -= 4 {
			b = append(b, "0123456789ABCDEF"[x>>shift&15])
		}
	}
	return b
}

// end writes the row out; insert is the cell of an inserted column.
func (w *record) end(insert string) {
	for i, c := range w.order {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		if c == inserted {
			w.buf = append(w.buf, insert...)
			continue
		}
		start := 0
		if c > 0 {
			start = w.ends[c-1]
		}
		cell := w.b[start:w.ends[c]]
		if bytes.ContainsAny(cell, ",\"\r\n") {
			w.buf = append(w.buf, '"')
			w.buf = append(w.buf, bytes.ReplaceAll(cell, []byte(`"`), []byte(`""`))...)
			w.buf = append(w.buf, '"')
			continue
		}
		w.buf = append(w.buf, cell...)
	}
	w.buf = append(w.buf, '\r', '\n')
	w.b, w.ends = w.b[:0], w.ends[:0]
	if len(w.buf) >= 1<<18 {
		w.flush()
	}
}

func (w *record) flush() {
	if w.err == nil {
		_, w.err = w.out.Write(w.buf)
	}
	w.buf = w.buf[:0]
}

// row ends a row of data.
func (w *record) row() { w.end("2026-01-31") }

// reportedUPN is a user's name as usage reports spell it: one user in five has
// another case there than in the directory.
func (t *Tenant) reportedUPN(u *user) string {
	switch {
	case u.index%10 == 2:
		return strings.ToUpper(u.upn)
	case u.index%5 == 3:
		return strings.ToLower(u.upn)
	}
	return u.upn
}

// ghosts are report rows of people who are gone: a number of deleted accounts, and a
// deleted account for one living user in 90 who has the same name again.
func (t *Tenant) ghosts(row func(upn, display string, deleted, last int)) {
	n := max(3, t.o.Users/100)
	if t.o.Users == 0 {
		n = 0
	}
	for i := range n {
		number := strconv.Itoa(i)
		row("old.user"+number+"@"+domain, "Old User "+number, t.refreshDay-5-i%20, t.refreshDay-6-i%20)
	}
	var u user
	for i := range t.o.Users {
		if t.namesake(i) {
			t.identity(&u, i)
			row(u.upn, u.display, t.refreshDay, t.refreshDay)
		}
	}
}

// namesake says that a deleted account of the same name stands in the reports.
func (t *Tenant) namesake(i int) bool { return t.every(i, 90, forHash) && !t.person(i).guest }

// each walks the users with what they hold and when they were last seen.
func (t *Tenant) each(row func(u *user, entitled service, seen [reports]int)) {
	var u user
	for i := range t.o.Users {
		t.identity(&u, i)
		u.held = t.holdings(i, u.held)
		row(&u, t.entitled(u.held), t.lastSeen(i, u.person, u.held))
	}
}

// productNames are the display names of a user's licences as reports join them.
func (t *Tenant) productNames(held []holding) string {
	var names []string
	for _, h := range held {
		if h.seat {
			names = append(names, strings.ToUpper(t.products[h.sku].name))
		}
	}
	return strings.Join(names, "+")
}

// assignDay is when the user's licence for a service was assigned, as the reports
// say it.
func (t *Tenant) assignDay(held []holding, s service) (day int) {
	for _, h := range held {
		if h.seat && t.products[h.sku].services[h.disabled]&s != 0 {
			if d := int(h.states[0].updated / secondsPerDay); day == 0 || d < day {
				day = d
			}
		}
	}
	return day
}

// inActiveReport says that the user has a row in the report of active users.
func inActiveReport(entitled service, seen [reports]int) bool {
	return entitled&(reported&^outlook) != 0 || slices.Max(seen[:6]) > 0
}

func (t *Tenant) activeUsers(w *record) {
	t.each(func(u *user, entitled service, seen [reports]int) {
		if !inActiveReport(entitled, seen) {
			return
		}
		w.day(t.refreshDay)
		w.secret(t.reportedUPN(u), "upn")
		w.secret(u.display, "name")
		w.truth(false)
		w.blank(1)
		for s := range 6 {
			w.truth(entitled>>s&1 != 0)
		}
		for s := range 6 {
			w.day(seen[s])
		}
		for s := range 6 {
			w.day(t.assignDay(u.held, 1<<s))
		}
		w.text(t.productNames(u.held))
		w.row()
	})
	gone := func(upn, display string, isDeleted bool, deleted, last int) {
		w.day(t.refreshDay)
		w.secret(upn, "upn")
		w.secret(display, "name")
		w.truth(isDeleted)
		w.day(deleted)
		for range 6 {
			w.truth(false)
		}
		w.day(last)
		w.blank(4)
		w.day(last)
		w.blank(7)
		w.row()
	}
	t.ghosts(func(upn, display string, deleted, last int) { gone(upn, display, true, deleted, last) })
	for i := range t.unknowns() {
		gone("(Unknown)", "", false, 0, t.refreshDay-i%3)
	}
}

// unknowns is how many rows of a report name nobody.
func (t *Tenant) unknowns() int {
	if t.o.Users == 0 {
		return 0
	}
	return 2 + t.o.Users/300
}

func (t *Tenant) emailActivity(w *record) {
	row := func(upn, display string, deleted, last, busy int, products string) {
		w.day(t.refreshDay)
		w.secret(upn, "upn")
		w.secret(display, "name")
		w.truth(deleted != 0)
		w.day(deleted)
		w.day(last)
		for _, times := range [5]int{1, 37, 4, 0, 1} {
			w.number(busy * times)
		}
		w.text(products)
		w.text(w.period)
		w.row()
	}
	t.each(func(u *user, entitled service, seen [reports]int) {
		if entitled&outlook == 0 && seen[6] == 0 {
			return
		}
		busy := 0
		if seen[6] > t.refreshDay-30 {
			busy = 1 + u.index%89
		}
		row(t.reportedUPN(u), u.display, 0, seen[6], busy, t.productNames(u.held))
	})
	t.ghosts(func(upn, display string, deleted, last int) { row(upn, display, deleted, last, 4, "") })
	for range t.unknowns() {
		row("(Unknown)", "", 0, t.refreshDay, 1, "")
	}
}

// devices is how a user works with the Microsoft 365 apps.
type devices struct {
	listed bool     // has a row in the report
	last   int      // day of the last use
	use    [24]bool // platform by app, in the order of the columns
}

// uses says that any app was used on a platform.
func (d *devices) uses(platform int) bool {
	return slices.Contains(d.use[platform*len(officeApps):(platform+1)*len(officeApps)], true)
}

func (d *devices) app(app int) bool {
	for p := range platforms {
		if d.use[p*len(officeApps)+app] {
			return true
		}
	}
	return false
}

// devices draws which apps a user runs where. Users of web-only licences have no
// desktop apps, and who was not seen within the period of 30 days ran nothing.
func (t *Tenant) devices(i int, held []holding, seen [reports]int) (d devices) {
	desktop := false
	for _, h := range held {
		if h.seat {
			switch h.sku {
			case e5, e3, businessPremium, officeE3, appsEnterprise:
				d.listed, desktop = true, true
			case f3, officeE1:
				d.listed = true
			}
		}
	}
	if !d.listed {
		return d
	}
	d.last = slices.Max(seen[:])
	if d.last <= t.refreshDay-30 {
		return d
	}
	r := newRandom(t.o.Seed, forDevices, uint64(i))
	platform := func(p, percent int) {
		if !r.chance(percent) {
			return
		}
		for a := range officeApps {
			d.use[p*len(officeApps)+a] = r.chance(45)
		}
	}
	if desktop {
		platform(0, 75)
		platform(1, 12)
	}
	platform(2, 40)
	platform(3, 55)
	return d
}

func (t *Tenant) appUse(w *record) {
	t.each(func(u *user, _ service, seen [reports]int) {
		d := t.devices(u.index, u.held, seen)
		if !d.listed {
			return
		}
		w.day(t.refreshDay)
		w.secret(t.reportedUPN(u), "upn")
		activated := 0
		if d.uses(0) || d.uses(1) {
			activated = t.refreshDay - 40 - u.index%500
		}
		w.day(activated)
		w.day(d.last)
		w.text(w.period)
		for p := range platforms {
			w.yes(d.uses(p))
		}
		for a := range officeApps {
			w.yes(d.app(a))
		}
		for _, v := range d.use {
			w.yes(v)
		}
		w.row()
	})
}

// activation is one row of the activations report.
type activation struct {
	product string
	day     int    // 0 when never
	counts  [5]int // Windows, Mac, Windows 10 Mobile, iOS, Android
	shared  bool
}

// activated appends what a user's licences allow to be activated, activated or not.
func (t *Tenant) activated(i int, held []holding, dst []activation) []activation {
	r := newRandom(t.o.Seed, forDevices, uint64(i)+1<<40)
	add := func(product string, percent int, counts [5]int) {
		a := activation{product: product, shared: r.chance(5)}
		if r.chance(percent) {
			a.counts = counts
			a.counts[r.below(2)] += 1 + r.below(3)
			a.day = t.refreshDay - r.below(400)
		}
		dst = append(dst, a)
	}
	apps := false
	for _, h := range held {
		if !h.seat {
			continue
		}
		switch h.sku {
		case e5, e3, officeE3, appsEnterprise, businessPremium:
			if !apps {
				add("MICROSOFT 365 APPS FOR ENTERPRISE", 80, [5]int{0, 0, 0, 1, 0})
			}
			apps = true
		case visioP2:
			add("VISIO DESKTOP APP", 60, [5]int{})
		case projectP3, projectPremium:
			add("PROJECT ONLINE DESKTOP CLIENT", 60, [5]int{})
		case f3, officeE1:
			if r.chance(30) {
				add("OFFICE MOBILE APPS FOR OFFICE 365", 70, [5]int{0, 0, 0, 1, 1})
			}
		}
	}
	return dst
}

func (t *Tenant) activations(w *record) {
	var list []activation
	t.each(func(u *user, _ service, _ [reports]int) {
		list = t.activated(u.index, u.held, list[:0])
		for _, a := range list {
			w.day(t.refreshDay)
			w.secret(t.reportedUPN(u), "upn")
			w.secret(u.display, "name")
			w.text(a.product)
			w.day(a.day)
			for _, n := range a.counts {
				w.number(n)
			}
			w.truth(a.shared)
			w.row()
		}
	})
}

// mailBytes is the size of a user's mailbox, and false when there is none.
func (t *Tenant) mailBytes(i int, room bool, entitled service) (int64, bool) {
	if !room && entitled&exchange == 0 {
		return 0, false
	}
	r := newRandom(t.o.Seed, forSites, uint64(i)+1<<40)
	return int64(r.next() % (60 << 30) >> (r.next() % 12)), true
}

func (t *Tenant) mailboxes(w *record) {
	row := func(upn, display string, deleted, created, last int, size int64) {
		w.day(t.refreshDay)
		w.secret(upn, "upn")
		w.secret(display, "name")
		w.truth(deleted != 0)
		w.day(deleted)
		w.day(created)
		w.day(last)
		w.number(int(size / 75000))
		w.number(int(size))
		for _, quota := range []int{105226698752, 106300440576, 107374182400} {
			w.number(quota)
		}
		w.number(int(size / 2000000))
		w.number(int(size / 120))
		w.number(32212254720)
		w.truth(size > 40<<30)
		w.text(w.period)
		w.row()
	}
	t.each(func(u *user, entitled service, seen [reports]int) {
		size, ok := t.mailBytes(u.index, u.room, entitled)
		if ok {
			row(t.reportedUPN(u), u.display, 0, t.day-1500-u.index%1000, seen[0], size)
		}
	})
	t.ghosts(func(upn, display string, deleted, last int) { row(upn, display, deleted, t.day-3000, last, 7<<30) })
}

// site is one OneDrive of a user.
type site struct {
	id      [16]byte
	size    int64
	deleted bool
}

// oneDrives appends a user's sites: most have one, some two, some an old one that is
// deleted.
func (t *Tenant) oneDrives(i int, entitled service, dst []site) []site {
	if entitled&oneDrive == 0 {
		return dst
	}
	r := newRandom(t.o.Seed, forSites, uint64(i))
	add := func(deleted bool) {
		dst = append(dst, site{id: r.guid(), size: int64(r.next() % (40 << 30) >> (r.next() % 14)), deleted: deleted})
	}
	add(false)
	if t.every(i, 19, forSites) {
		add(false)
	}
	if t.every(i, 53, forSites) {
		add(true)
	}
	return dst
}

func (t *Tenant) sites(w *record) {
	row := func(s site, path, upn, display string, last int) {
		w.day(t.refreshDay)
		if t.o.Concealed {
			w.text("00000000-0000-0000-0000-000000000000")
			w.blank(1)
		} else {
			w.text(guidText(s.id))
			w.text("https://contoso-my.sharepoint.com/personal/" + path)
		}
		w.secret(display, "owner")
		w.truth(s.deleted)
		w.day(last)
		files := int(s.size / 2500000)
		w.number(files)
		w.number(files / 30)
		w.number(int(s.size))
		w.number(1099511627776)
		w.secret(upn, "upn")
		w.text(w.period)
		w.row()
	}
	personal := strings.NewReplacer("@", "_", ".", "_", "'", "_")
	var list []site
	t.each(func(u *user, entitled service, seen [reports]int) {
		list = t.oneDrives(u.index, entitled, list[:0])
		for n, s := range list {
			path := personal.Replace(strings.ToLower(u.upn))
			if n > 0 {
				path += strconv.Itoa(n)
			}
			row(s, path, t.reportedUPN(u), u.display, seen[1])
		}
	})
	t.ghosts(func(upn, display string, deleted, last int) {
		r := newRandom(t.o.Seed, forSites, uint64(deleted)<<32+uint64(len(upn)))
		row(site{id: r.guid(), size: 5 << 30, deleted: true}, personal.Replace(strings.ToLower(upn)), upn, display, last)
	})
}
