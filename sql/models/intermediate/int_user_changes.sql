-- Grain: one row per user and day of a change: the user came, went, or was switched on or off. Of the first day known, every user.
with recorded as (
  select h.*, d.day_number
  from {{ ref('stg_history_users') }} as h
  join {{ ref('int_snapshot_days') }} as d on d.tenant_id = h.tenant_id and d.snapshot_date = h.snapshot_date
  where d.is_recorded
),

last_recorded as (
  select tenant_id, max(day_number) as day_number
  from {{ ref('int_snapshot_days') }}
  where is_recorded
  group by 1
),

-- How it was on the last recorded day.
states as (
  select
    tenant_id,
    user_id,
    max_by(is_present, snapshot_date) as is_present,
    max_by(coalesce(account_enabled, true), snapshot_date) as account_enabled
  from recorded
  group by 1, 2
),

days as (
  select s.tenant_id, s.user_id, l.day_number, s.account_enabled
  from states as s
  join last_recorded as l on l.tenant_id = s.tenant_id
  where s.is_present
  union all
  select u.tenant_id, u.user_id, d.day_number, coalesce(u.account_enabled, true) as account_enabled
  from {{ ref('stg_users') }} as u
  join {{ ref('int_snapshot_days') }} as d on d.tenant_id = u.tenant_id and d.snapshot_date = u.snapshot_date
  where not d.is_recorded
),

came as (
  select n.tenant_id, d.snapshot_date, n.user_id, n.account_enabled
  from days as n
  join {{ ref('int_snapshot_days') }} as d on d.tenant_id = n.tenant_id and d.day_number = n.day_number
  left join days as b on b.tenant_id = n.tenant_id and b.user_id = n.user_id and b.day_number = n.day_number - 1
  where not d.is_recorded and (b.user_id is null or b.account_enabled <> n.account_enabled)
),

went as (
  select b.tenant_id, d.snapshot_date, b.user_id
  from days as b
  join {{ ref('int_snapshot_days') }} as d on d.tenant_id = b.tenant_id and d.day_number = b.day_number + 1
  left join days as n on n.tenant_id = b.tenant_id and n.user_id = b.user_id and n.day_number = b.day_number + 1
  where n.user_id is null
)

select tenant_id, snapshot_date, user_id, is_present, account_enabled, true as is_recorded
from recorded
union all
select tenant_id, snapshot_date, user_id, true, account_enabled, false
from came
union all
select tenant_id, snapshot_date, user_id, false, cast(null as boolean), false
from went
