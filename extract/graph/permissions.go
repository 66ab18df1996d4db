package graph

import (
	"slices"

	"seatlake/pipeline"
)

// ReadPermissions are the permissions that reading some sources takes, sorted. None of
// them can write. Users take two, since their sign-in activity has its own.
func ReadPermissions(sources ...string) []string {
	var out []string
	for _, source := range sources {
		if p := Permission(source); p != "" {
			out = append(out, p)
		}
		if source == pipeline.Users {
			out = append(out, auditLog)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// everySource is what a client can read.
func everySource() []string {
	return []string{
		pipeline.Users, pipeline.SubscribedSkus, pipeline.SignIns, pipeline.NonInteractiveSignIns, pipeline.ReportActiveUsers, pipeline.ReportEmail,
		pipeline.ReportApps, pipeline.ReportMailboxes, pipeline.ReportOneDrives, pipeline.ReportActivations, pipeline.ReportCopilot,
		pipeline.Subscriptions, pipeline.UserRegistrationDetails, pipeline.ReportSettings,
	}
}

// MayWriteLicenses says that permissions which a token carries let its holder change
// the licences of users.
func MayWriteLicenses(carried []string) bool {
	return anyOf(carried, WriteLicenses, "User.ReadWrite.All", "Directory.ReadWrite.All")
}

// MayWriteMembers says that permissions which a token carries let its holder change
// the members of groups.
func MayWriteMembers(carried []string) bool {
	return anyOf(carried, WriteMembers, "Group.ReadWrite.All", "Directory.ReadWrite.All")
}

func anyOf(carried []string, wanted ...string) bool {
	return slices.ContainsFunc(carried, func(p string) bool { return slices.Contains(wanted, p) })
}
