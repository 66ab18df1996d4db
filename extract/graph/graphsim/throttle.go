package graphsim

import (
	"slices"
	"strconv"
	"time"
)

// limit is a published limit: a cost per span of time.
type limit struct {
	cost int
	per  time.Duration
	// silent limits answer 429 without Retry-After.
	silent bool
}

// resourceUnits is what a request of the directory costs, as published.
func resourceUnits(source string, q query) int {
	cost := map[string]int{"users": 2, "user": 2, "subscribed_skus": 3, "group": 3}[source]
	if q.asked != nil {
		cost--
	}
	if q.managers != nil {
		cost++
	}
	if q.top > 0 && q.top < 20 {
		cost--
	}
	return max(cost, 1)
}

// take charges a request to the limits that apply to it and says how long to wait
// when one of them is used up. Throttled requests count as well.
func (s *Server) take(source string, q query) (wait time.Duration, l limit, ok bool) {
	if !s.o.Throttle {
		return 0, limit{}, true
	}
	type charge struct {
		key  string
		cost int
		limit
	}
	var charges []charge
	switch source {
	case signInSource, clientSignInSource, "user_registration_details":
		charges = append(charges, charge{"audit", 1, limit{5, 10 * time.Second, true}})
	case "users", "user", "subscribed_skus", "subscriptions", "group", "assign_license", "group_members":
		units := 8000
		if s.o.Users <= 500 {
			units = 5000
		}
		if s.o.Users < 50 {
			units = 3500
		}
		charges = append(charges, charge{"directory", resourceUnits(source, q), limit{units, 10 * time.Second, false}})
		if source == "assign_license" || source == "group_members" {
			charges = append(charges, charge{"writes", 1, limit{3000, 150 * time.Second, false}})
		}
		if slices.Contains(q.asked, signInActivity) {
			charges = append(charges, charge{"signInActivity", 1, limit{10, time.Minute, false}})
		}
	default:
		if _, report := findReport(source); report {
			charges = append(charges, charge{source, 1, limit{14, 10 * time.Minute, false}})
		}
	}
	now := s.o.Clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	ok = true
	for _, c := range charges {
		spent := s.spent[c.key]
		for len(spent) > 0 && now.Sub(spent[0].at) >= c.per {
			spent = spent[1:]
		}
		sum := c.cost
		for _, e := range spent {
			sum += e.cost
		}
		spent = append(spent, expense{now, c.cost})
		s.spent[c.key] = spent
		if sum <= c.limit.cost {
			continue
		}
		ok, l = false, c.limit
		over := sum + c.cost - c.limit.cost // to have passed before the same request is let through
		for _, e := range spent {
			if over -= e.cost; over <= 0 {
				wait = max(wait, c.per-now.Sub(e.at))
				break
			}
		}
	}
	return wait, l, ok
}

type expense struct {
	at   time.Time
	cost int
}

// seconds is a Retry-After in whole seconds, rounded up.
func seconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}
