package graph

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// User is a user at the moment of the answer.
type User struct {
	ID, UserPrincipalName string
	Enabled               *bool // nil when Graph does not say
	UsageLocation         string
	Licenses              []License    // held, by whatever way
	Assignments           []Assignment // the ways

	// LastSignIn is the newest successful sign-in of either kind, LastAttempt the
	// newest attempt; zero for none. SignInsKnown is false when Graph denies sign-in
	// activity.
	LastSignIn, LastAttempt time.Time
	SignInsKnown            bool
}

// License is a SKU with the plans of it that are off. GUIDs are lower-case.
type License struct {
	SKU      string
	Disabled []string
}

// Assignment is one way in which a user has a SKU: an entry of
// licenseAssignmentStates.
type Assignment struct {
	License
	Group string // the group that assigns it, "" for a direct assignment
	State string // Active, ActiveWithError, Disabled or Error
	Error string

	Updated time.Time // when it was assigned, or changed; zero when Graph does not say
}

// Group is a group and the licences it gives its members.
type Group struct {
	ID, Name string
	Licenses []License
	Dynamic  bool // a rule says who is a member
	Synced   bool // it belongs to an on-premises directory
}

// wireLicense is a licence as Graph writes it.
type wireLicense struct {
	SkuID         string   `json:"skuId"`
	DisabledPlans []string `json:"disabledPlans"`
}

func (l wireLicense) license() License {
	out := License{SKU: strings.ToLower(l.SkuID)}
	for _, p := range l.DisabledPlans {
		out.Disabled = append(out.Disabled, strings.ToLower(p))
	}
	return out
}

const userSelect = "$select=id,userPrincipalName,accountEnabled,usageLocation,assignedLicenses,licenseAssignmentStates"

// User asks for one user by object id. The error of nobody is an *Error of status
// 404. Where sign-in activity is denied, or not known, the rest is asked for without
// it.
func (c *Client) User(ctx context.Context, id string) (*User, error) {
	path := "/v1.0/users/" + url.PathEscape(id) + "?" + userSelect
	var wire struct {
		ID                      string
		UserPrincipalName       string
		AccountEnabled          *bool
		UsageLocation           string
		AssignedLicenses        []wireLicense
		LicenseAssignmentStates []struct {
			wireLicense
			AssignedByGroup string
			State, Error    string

			LastUpdatedDateTime time.Time
		}
		SignInActivity struct {
			LastSignInDateTime               time.Time
			LastNonInteractiveSignInDateTime time.Time
			LastSuccessfulSignInDateTime     time.Time
		}
	}
	known := !c.signInsDenied.Load()
	var err error
	if known {
		err = c.object(ctx, "user", path+","+signInActivity, &wire)
		if refusal, ok := errors.AsType[*Error](err); denied(err) || ok && refusal.Status == http.StatusBadRequest {
			known = false
			if err = c.object(ctx, "user", path, &wire); err == nil {
				c.signInsDenied.Store(true)
			}
		}
	} else {
		err = c.object(ctx, "user", path, &wire)
	}
	if err != nil {
		return nil, err
	}
	p := &User{
		ID: strings.ToLower(wire.ID), UserPrincipalName: wire.UserPrincipalName, Enabled: wire.AccountEnabled,
		UsageLocation: wire.UsageLocation, SignInsKnown: known,
	}
	for _, l := range wire.AssignedLicenses {
		p.Licenses = append(p.Licenses, l.license())
	}
	for _, s := range wire.LicenseAssignmentStates {
		p.Assignments = append(p.Assignments, Assignment{License: s.license(), Group: strings.ToLower(s.AssignedByGroup), State: s.State, Error: s.Error, Updated: instant(s.LastUpdatedDateTime)})
	}
	at := wire.SignInActivity
	p.LastSignIn = instant(at.LastSuccessfulSignInDateTime)
	p.LastAttempt = later(instant(at.LastSignInDateTime), instant(at.LastNonInteractiveSignInDateTime))
	return p, nil
}

// instant is a time of Graph's, whose year 1 stands for none.
func instant(t time.Time) time.Time {
	if t.Year() <= 1 {
		return time.Time{}
	}
	return t.UTC()
}

// Group asks for one group. The error of an unknown one is an *Error of status 404.
func (c *Client) Group(ctx context.Context, id string) (*Group, error) {
	path := "/v1.0/groups/" + url.PathEscape(id) + "?$select=id,displayName,groupTypes,onPremisesSyncEnabled,assignedLicenses"
	var wire struct {
		ID, DisplayName       string
		GroupTypes            []string
		OnPremisesSyncEnabled bool
		AssignedLicenses      []wireLicense
	}
	if err := c.object(ctx, "group", path, &wire); err != nil {
		return nil, err
	}
	g := &Group{ID: strings.ToLower(wire.ID), Name: wire.DisplayName, Synced: wire.OnPremisesSyncEnabled}
	for _, kind := range wire.GroupTypes {
		g.Dynamic = g.Dynamic || strings.EqualFold(kind, "DynamicMembership")
	}
	for _, l := range wire.AssignedLicenses {
		g.Licenses = append(g.Licenses, l.license())
	}
	return g, nil
}

// Units are what the tenant has of a SKU.
type Units struct {
	SKU, PartNumber string
	Entitled        int // enabled and warning, which may be assigned
	Consumed        int
}

// Units asks how much of each SKU is taken at this moment.
func (c *Client) Units(ctx context.Context) ([]Units, error) {
	var wire struct {
		Value []struct {
			SkuID         string `json:"skuId"`
			SkuPartNumber string
			ConsumedUnits int
			PrepaidUnits  struct{ Enabled, Warning int }
		}
	}
	if err := c.object(ctx, "subscribed_skus", "/v1.0/subscribedSkus", &wire); err != nil {
		return nil, err
	}
	var out []Units
	for _, s := range wire.Value {
		out = append(out, Units{
			SKU: strings.ToLower(s.SkuID), PartNumber: s.SkuPartNumber,
			Entitled: s.PrepaidUnits.Enabled + s.PrepaidUnits.Warning, Consumed: s.ConsumedUnits,
		})
	}
	return out, nil
}

// object asks for one object until its answer is whole, and reads it.
func (c *Client) object(ctx context.Context, name, path string, into any) error {
	u, err := url.Parse(c.root.String() + path)
	if err != nil {
		return err
	}
	return c.try(ctx, Event{Source: name, Page: 1, Request: u.RequestURI()}, func(ctx context.Context) error {
		a, err := c.get(ctx, c.graph, u, false)
		if err != nil {
			return err
		}
		if a.status != http.StatusOK {
			return c.newError(a)
		}
		text, err := a.page(name).Text()
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			return c.damaged(a, err)
		}
		return nil
	})
}
