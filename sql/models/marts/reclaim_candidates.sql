-- Grain: one row per user and managed SKU the user holds that there is a reason to take back. Where blocked_by is not null, it is
-- not to be taken back for that reason.
with reasons as (
  select
    r.tenant_id,
    r.user_id,
    r.sku_id,
    min_by(r.reason, s.strength) as reason,
    min_by(s.confidence, s.strength) as confidence,
    array_join(array_agg(r.reason order by s.strength), ',') as reasons,
    bool_or(r.reason in ('never_signed_in', 'inactive')) as is_idle
  from {{ ref('int_reclaim_reasons') }} as r
  join {{ ref('reclaim_reasons') }} as s on s.reason = r.reason
  group by 1, 2, 3
),

-- A SKU that is paid in two currencies has no one price.
prices as (
  select
    tenant_id,
    sku_id,
    max(currency) as currency,
    max(unit_cents) as unit_cents,
    bool_or(price_basis = 'list_price') as is_estimate
  from {{ ref('int_license_costs') }}
  group by 1, 2
  having count(*) = 1
),

found as (
  select
    r.tenant_id,
    u.as_of_date,
    r.user_id,
    u.user_principal_name,
    u.given_name,
    u.surname,
    u.department,
    u.country,
    r.sku_id,
    k.sku_part_number,
    k.product_name,
    k.license_class,
    l.assigned_by,
    g.assigned_by_groups,
    l.assigned_date,
    r.reason,
    r.reasons,
    r.is_idle,
    r.confidence as reason_confidence,
    l.last_activity_date,
    l.last_activity_service,
    l.days_since_last_activity,
    l.last_activity_observed_through,
    l.activity_status,
    u.account_enabled,
    u.last_sign_in_at,
    u.sign_in_evidence,
    u.sign_in_observed_through,
    l.reports_observed_through,
    l.log_observed_through,
    case when l.observed_through < u.as_of_date then l.observed_through else u.as_of_date end as observed_through,
    -- What other licences cover is not missed, however much of its use was measured.
    case when o.sku_id is not null and o.needs_confirmation is null then 'complete' else l.evidence end as evidence,
    o.covered_by,
    o.needs_confirmation,
    h.hr_status,
    h.ended_date,
    y.deactivated_date,
    -- Somebody uses it, whatever the reason says: later than the last day, or in spite of there being nobody to use it.
    coalesce(case
      when o.sku_id is not null and o.needs_confirmation is null then false
      when r.reason = 'hr_inactive' then l.last_activity_date > h.ended_date or cast(u.last_sign_in_at as date) > h.ended_date
      when r.reason = 'blocked_sign_in' then l.last_activity_date > y.deactivated_date
      when r.reason in ('absent_from_hr', 'guest') then l.activity_status = 'active'
    end, false) as is_in_use,
    p.user_id is not null as is_protected,
    coalesce(
      l.activity_status = 'too_new'
      or date_diff('day', l.assigned_date, u.as_of_date) < l.grace_days
      or date_diff('day', u.account_created_date, u.as_of_date) < l.grace_days,
      false
    ) as is_too_new,
    m.needs_license as mailbox_needs
  from reasons as r
  join {{ ref('int_license_use') }} as l on l.tenant_id = r.tenant_id and l.user_id = r.user_id and l.sku_id = r.sku_id
  join {{ ref('int_users') }} as u on u.tenant_id = r.tenant_id and u.user_id = r.user_id
  join {{ ref('int_skus') }} as k on k.tenant_id = r.tenant_id and k.sku_id = r.sku_id
  left join {{ ref('int_user_history') }} as y on y.tenant_id = r.tenant_id and y.user_id = r.user_id
  left join {{ ref('int_employees') }} as h on h.tenant_id = r.tenant_id and h.user_id = r.user_id
  left join {{ ref('int_shared_mailboxes') }} as m on m.tenant_id = r.tenant_id and m.user_id = r.user_id
  left join {{ ref('license_overlaps') }} as o on o.tenant_id = r.tenant_id and o.user_id = r.user_id and o.sku_id = r.sku_id
  left join {{ ref('int_license_groups') }} as g on g.tenant_id = r.tenant_id and g.user_id = r.user_id and g.sku_id = r.sku_id
  left join {{ ref('int_protected_licenses') }} as p on p.tenant_id = r.tenant_id and p.user_id = r.user_id and p.sku_id = r.sku_id
),

blocked as (
  select
    f.*,
    nullif(
      case when is_protected then ',protected' else '' end
      || case when hr_status = 'leave' then ',on_leave' else '' end
      || case when is_too_new then ',too_new' else '' end
      || case when evidence = 'none' then ',not_measurable' when evidence = 'partial' then ',partial_evidence' else '' end
      || case when is_in_use then ',in_use' else '' end
      || case when reason = 'duplicate_entitlement' and needs_confirmation is not null then ',needs_confirmation' else '' end
      || case when assigned_by is null or assigned_date is null then ',unknown_assignment' else '' end
      || case when assigned_by <> 'direct' then ',group_assigned' else '' end
      || coalesce(',' || mailbox_needs, ''),
      ''
    ) as blocks,
    -- Use that ended backs another reason; use that goes on, or that was not wholly measured, takes away from it.
    case
      when evidence <> 'complete' or is_in_use then 1
      when is_idle and reason not in ('never_signed_in', 'inactive') and reason_confidence < 3 then reason_confidence + 1
      else reason_confidence
    end as confidence
  from found as f
),

-- Units are renewed in the order in which they are worth giving up: what nothing blocks, and the surest, first.
ordered as (
  select
    b.*,
    row_number() over (
      partition by tenant_id, sku_id
      order by case when blocks is null then 0 else 1 end, confidence desc, user_id
    ) as place
  from blocked as b
),

priced as (
  select
    o.*,
    c.currency,
    coalesce(c.is_estimate, false) as is_estimate,
    case when o.evidence <> 'none' then cast(cast(c.unit_cents as decimal(18, 0)) * 0.01 as decimal(18, 2)) end as annual_saving,
    n.renewal_date
  from ordered as o
  left join prices as c on c.tenant_id = o.tenant_id and c.sku_id = o.sku_id
  left join {{ ref('int_renewals') }} as n
    on n.tenant_id = o.tenant_id and n.sku_id = o.sku_id and o.place between n.first_unit and n.last_unit
)

select
  tenant_id,
  as_of_date,
  user_id,
  user_principal_name,
  given_name,
  surname,
  department,
  country,
  sku_id,
  sku_part_number,
  product_name,
  license_class,
  assigned_by,
  assigned_by_groups,
  assigned_date,
  reason,
  reasons,
  last_activity_date,
  last_activity_service,
  days_since_last_activity,
  activity_status,
  last_sign_in_at,
  observed_through,
  evidence,
  case
    when reason = 'hr_inactive' then 'HR: left' || coalesce(' on ' || cast(ended_date as varchar), '') || '; '
    when reason = 'absent_from_hr' then 'HR: not in the file; '
    else ''
  end
  || case
    when not account_enabled then 'sign-in blocked' || coalesce(', first seen on ' || cast(deactivated_date as varchar), '') || '; '
    else ''
  end
  || coalesce('covered by ' || covered_by || '; ', '')
  || coalesce('to confirm: ' || needs_confirmation || '; ', '')
  || case
    when activity_status = 'not_measurable' then 'its use could not be measured'
    when last_activity_date is not null
      then coalesce(last_activity_service, 'signed in') || ' last on ' || cast(last_activity_date as varchar) || ', '
        || cast(days_since_last_activity as varchar) || ' days before ' || cast(last_activity_observed_through as varchar)
    when assigned_date is not null then 'no use since it was assigned on ' || cast(assigned_date as varchar)
    else 'no use seen'
  end
  || case when evidence = 'partial' then ', in part not measured' else '' end
  || coalesce('; usage reports to ' || cast(reports_observed_through as varchar), '')
  || coalesce('; sign-in log to ' || cast(log_observed_through as varchar), '')
  || case
    when sign_in_evidence = 'none' then '; sign-ins not readable'
    when last_sign_in_at is null then '; no sign-in seen to ' || cast(sign_in_observed_through as varchar)
    else '; last sign-in ' || cast(cast(last_sign_in_at as date) as varchar)
  end as evidence_text,
  case confidence when 3 then 'high' when 2 then 'medium' else 'low' end as confidence,
  case when evidence = 'none' then 0 else 1 end as units_freed,
  annual_saving,
  case when annual_saving is not null then currency end as currency,
  is_estimate and annual_saving is not null as is_estimate,
  -- A unit is paid for until its renewal, whoever holds it.
  case when annual_saving is not null and renewal_date is not null then cast(0 as decimal(18, 2)) end as cash_until_renewal,
  renewal_date,
  case when renewal_date is not null then annual_saving end as cash_at_renewal,
  substr(blocks, 2) as blocked_by
from priced
