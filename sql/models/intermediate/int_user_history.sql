-- Grain: one row per user of the tenant's current snapshot, over all snapshots of the lake.
with days as (
  select u.tenant_id, u.user_id, s.snapshot_date, coalesce(s.account_enabled, true) as account_enabled
  from {{ ref('int_users') }} as u
  join {{ ref('stg_users') }} as s
    on s.tenant_id = u.tenant_id and s.user_id = u.user_id and s.snapshot_date <= u.as_of_date
),

seen as (
  select
    tenant_id,
    user_id,
    min(snapshot_date) as first_seen_date,
    max(case when account_enabled then snapshot_date end) as last_enabled_date
  from days
  group by 1, 2
)

select
  s.tenant_id,
  s.user_id,
  s.first_seen_date,
  -- The first day of the disabled days that last until now.
  min(case when s.last_enabled_date is null or d.snapshot_date > s.last_enabled_date then d.snapshot_date end) as deactivated_date
from seen as s
join days as d on d.tenant_id = s.tenant_id and d.user_id = s.user_id
group by 1, 2, 3
