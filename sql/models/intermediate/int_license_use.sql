-- Grain: one row per user and managed SKU the user holds, judged by the SKU's primary services alone, and with the evidence that
-- silence needs: a log that reaches back over the whole threshold.
with ruled as (
  select distinct tenant_id, sku_id from {{ ref('int_primary_services') }}
),

primary_use as (
  select a.*, p.reach
  from {{ ref('int_license_activity') }} as a
  join {{ ref('int_primary_services') }} as p on p.tenant_id = a.tenant_id and p.sku_id = a.sku_id and p.service = a.service
),

chosen as (
  select a.*, 'complete' as reach
  from {{ ref('int_license_activity') }} as a
  left join ruled as r on r.tenant_id = a.tenant_id and r.sku_id = a.sku_id
  where r.sku_id is null
  union all
  select * from primary_use
  union all
  -- Who has none of the primary services, as they are switched off, is judged by what is left.
  select a.*, 'complete'
  from {{ ref('int_license_activity') }} as a
  join ruled as r on r.tenant_id = a.tenant_id and r.sku_id = a.sku_id
  left join (select distinct tenant_id, user_id, sku_id from primary_use) as p
    on p.tenant_id = a.tenant_id and p.user_id = a.user_id and p.sku_id = a.sku_id
  where p.user_id is null
),

-- Who did not sign in within the threshold used nothing within it, whatever the log reaches or the service reports.
weighed as (
  select
    c.*,
    coalesce(c.activity_basis = 'service' and s.source_table = 'graph_sign_ins', false) as is_by_log,
    case
      when c.evidence <> 'complete' or c.activity_status = 'active' then c.evidence
      when u.sign_in_evidence = 'complete'
        and (u.last_sign_in_at is null or date_diff('day', cast(u.last_sign_in_at as date), u.sign_in_observed_through) > c.threshold_days)
        then 'complete'
      when c.reach = 'partial' then 'partial'
      when s.source_table <> 'graph_sign_ins' or c.activity_basis = 'sign_in' then 'complete'
      when date_diff('day', g.known_from, c.observed_through) >= c.threshold_days then 'complete'
      else 'partial'
    end as use_evidence
  from chosen as c
  left join {{ ref('services') }} as s on s.service = c.service
  left join {{ ref('int_users') }} as u on u.tenant_id = c.tenant_id and u.user_id = c.user_id
  left join {{ ref('int_sign_in_log') }} as g on g.tenant_id = c.tenant_id
)

select
  tenant_id,
  user_id,
  sku_id,
  max(assigned_by) as assigned_by,
  min(assigned_date) as assigned_date,
  max(grace_days) as grace_days,
  min_by(last_activity_date, recency) as last_activity_date,
  min_by(service, recency) as last_activity_service,
  min(days_since_last_activity) as days_since_last_activity,
  min_by(observed_through, recency) as last_activity_observed_through,
  case
    when bool_or(activity_status = 'active') then 'active'
    when bool_or(activity_status = 'inactive') then 'inactive'
    when bool_or(activity_status = 'too_new') then 'too_new'
    when bool_or(activity_status = 'never_active') then 'never_active'
    else 'not_measurable'
  end as activity_status,
  case
    when bool_and(use_evidence = 'complete') then 'complete'
    when bool_and(use_evidence = 'none') then 'none'
    else 'partial'
  end as evidence,
  min(case when activity_basis = 'service' and not is_by_log then observed_through end) as reports_observed_through,
  min(case when is_by_log then observed_through end) as log_observed_through,
  min(observed_through) as observed_through
from weighed
group by 1, 2, 3
