package graphsim

import (
	"slices"
	"strconv"
	"strings"
)

// signIn is everything about one sign-in, ready to be written.
type signIn struct {
	event
	log     *signInLog
	k       int
	at      int64 // nanoseconds since 1970
	who     user
	upn     string // plain e-mail for guests, always lower case
	place   int
	managed bool
	system  int
}

func (t *Tenant) signIn(s *signIn, l *signInLog, k int) {
	s.event = l.event(k)
	s.log, s.k, s.at = l, k, l.at(k)
	t.identity(&s.who, s.user)
	s.upn = strings.ToLower(s.who.upn)
	if s.who.guest {
		s.upn = strings.ToLower(s.who.mail)
	}
	s.place = s.r.skewed(len(places))
	s.managed = s.r.chance(55)
	s.system = s.r.skewed(len(systems))
}

var systems = []struct{ os, browser string }{
	{"Windows10", "Edge 131.0.0"}, {"Windows 11", "Edge 131.0.0"}, {"Ios 18.1", "Mobile Safari 18.1"},
	{"MacOs", "Chrome 131.0.0"}, {"Android 15", "Chrome Mobile 131.0.0"},
}

// signInProperty is one property of a sign-in.
type signInProperty struct {
	name  string
	write func(t *Tenant, w *text, s *signIn)
}

func constant(v string) func(*Tenant, *text, *signIn) {
	return func(_ *Tenant, w *text, _ *signIn) { w.raw(v) }
}

func quoted(get func(s *signIn) string) func(*Tenant, *text, *signIn) {
	return func(_ *Tenant, w *text, s *signIn) { w.str(get(s)) }
}

// signInProperties are the properties of v1.0, in the order they are written.
var signInProperties = []signInProperty{
	{"id", func(t *Tenant, w *text, s *signIn) {
		r := newRandom(t.o.Seed, forSignInID, s.log.ids+uint64(s.k))
		w.guid(r.guid())
	}},
	{"createdDateTime", func(_ *Tenant, w *text, s *signIn) {
		w.byte('"')
		w.b = appendInstant(w.b, s.at)
		w.byte('"')
	}},
	{"userDisplayName", quoted(func(s *signIn) string { return s.who.display })},
	{"userPrincipalName", quoted(func(s *signIn) string { return s.upn })},
	{"userId", func(_ *Tenant, w *text, s *signIn) { w.guid(s.who.id) }},
	{"appId", quoted(func(s *signIn) string { return s.app.id })},
	{"appDisplayName", quoted(func(s *signIn) string { return s.app.name })},
	{"ipAddress", func(_ *Tenant, w *text, s *signIn) {
		w.raw(`"203.0.113.`)
		w.int(s.user % 250)
		w.byte('"')
	}},
	{"clientAppUsed", quoted(func(s *signIn) string { return s.app.client })},
	{"correlationId", func(t *Tenant, w *text, s *signIn) {
		r := newRandom(t.o.Seed, forSignInID, s.log.ids+uint64(s.k)+1<<41)
		w.guid(r.guid())
	}},
	{"conditionalAccessStatus", quoted(func(s *signIn) string { return outcomes[s.outcome].ca })},
	{"isInteractive", func(_ *Tenant, w *text, s *signIn) { w.bool(!s.log.clients) }},
	{"riskDetail", constant(`"none"`)},
	{"riskLevelAggregated", constant(`"none"`)},
	{"riskLevelDuringSignIn", constant(`"none"`)},
	{"riskState", constant(`"none"`)},
	{"riskEventTypes", constant("[]")},
	{"riskEventTypes_v2", constant("[]")},
	{"resourceDisplayName", quoted(func(s *signIn) string { return s.app.resourceName })},
	{"resourceId", quoted(func(s *signIn) string { return s.app.resource })},
	{"status", func(_ *Tenant, w *text, s *signIn) {
		o := &outcomes[s.outcome]
		w.raw(`{"errorCode":`)
		w.int(o.code)
		w.raw(`,"failureReason":`)
		w.str(o.reason)
		w.raw(`,"additionalDetails":`)
		w.strOrNull(o.details)
		w.byte('}')
	}},
	{"deviceDetail", func(_ *Tenant, w *text, s *signIn) {
		w.raw(`{"deviceId":"","displayName":"","operatingSystem":"`)
		w.raw(systems[s.system].os)
		w.raw(`","browser":"`)
		w.raw(systems[s.system].browser)
		w.raw(`","isCompliant":`)
		w.bool(s.managed)
		w.raw(`,"isManaged":`)
		w.bool(s.managed)
		w.raw(`,"trustType":`)
		if s.managed {
			w.raw(`"Azure AD joined"}`)
		} else {
			w.raw("null}")
		}
	}},
	{"location", func(_ *Tenant, w *text, s *signIn) {
		p := &places[s.place]
		w.raw(`{"city":`)
		w.str(p.city)
		w.raw(`,"state":`)
		w.str(p.state)
		w.raw(`,"countryOrRegion":"`)
		w.raw(p.code)
		w.raw(`","geoCoordinates":{"altitude":null,"latitude":`)
		w.b = strconv.AppendFloat(w.b, 47.6805-float64(s.place), 'f', 4, 64)
		w.raw(`,"longitude":`)
		w.b = strconv.AppendFloat(w.b, -122.1209+float64(s.place*16), 'f', 4, 64)
		w.raw("}}")
	}},
	{"appliedConditionalAccessPolicies", func(_ *Tenant, w *text, s *signIn) {
		if outcomes[s.outcome].ca == "notApplied" {
			w.raw("[]")
			return
		}
		w.raw(`[{"id":"013f1d6b-785b-4520-b0f9-31bfaefb8e2b","displayName":"Require multifactor authentication for all users",` +
			`"enforcedGrantControls":["Mfa"],"enforcedSessionControls":[],"result":"`)
		w.raw(outcomes[s.outcome].ca)
		w.raw(`"}]`)
	}},
}

// betaSignInProperties are the properties of beta: riskEventTypes is v1.0's alone.
var betaSignInProperties = append(slices.DeleteFunc(slices.Clone(signInProperties), func(p signInProperty) bool { return p.name == "riskEventTypes" }),
	signInProperty{"signInEventTypes", func(_ *Tenant, w *text, s *signIn) {
		if s.log.clients {
			w.raw(`["nonInteractiveUser"]`)
		} else {
			w.raw(`["interactiveUser"]`)
		}
	}},
	signInProperty{"userType", func(_ *Tenant, w *text, s *signIn) {
		if s.who.guest {
			w.raw(`"guest"`)
		} else {
			w.raw(`"member"`)
		}
	}},
	signInProperty{"authenticationProtocol", constant(`"none"`)},
	signInProperty{"authenticationRequirement", constant(`"singleFactorAuthentication"`)},
	signInProperty{"incomingTokenType", constant(`"primaryRefreshToken"`)},
	signInProperty{"homeTenantId", func(t *Tenant, w *text, _ *signIn) { w.str(t.o.TenantID) }},
	signInProperty{"resourceTenantId", func(t *Tenant, w *text, _ *signIn) { w.str(t.o.TenantID) }},
	signInProperty{"crossTenantAccessType", constant(`"none"`)},
	signInProperty{"uniqueTokenIdentifier", func(t *Tenant, w *text, s *signIn) {
		r := newRandom(t.o.Seed, forSignInID, s.log.ids+uint64(s.k)+3<<42)
		w.guid(r.guid())
	}},
	signInProperty{"autonomousSystemNumber", constant("8075")},
	signInProperty{"processingTimeInMilliseconds", constant("121")},
	signInProperty{"flaggedForReview", constant("false")},
	signInProperty{"isTenantRestricted", constant("false")},
)

func (t *Tenant) writeSignIn(w *text, s *signIn, asked []*signInProperty) {
	w.byte('{')
	for i := range asked {
		p := asked[i]
		if t.o.ValueFirst {
			p = asked[len(asked)-1-i]
		}
		if i > 0 {
			w.byte(',')
		}
		w.key(p.name)
		p.write(t, w, s)
	}
	w.byte('}')
}
