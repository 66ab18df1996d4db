-- Grain: one row per user, SKU and day of a change: the licence was got, lost, or is assigned in another way. Of the first day
-- known, every licence that is held.
with recorded as (
  select h.*, d.day_number
  from {{ ref('stg_history_user_licenses') }} as h
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
    sku_id,
    max_by(is_held, snapshot_date) as is_held,
    max_by(coalesce(assigned_by, ''), snapshot_date) as assigned_by
  from recorded
  group by 1, 2, 3
),

days as (
  select s.tenant_id, s.user_id, s.sku_id, l.day_number, s.assigned_by
  from states as s
  join last_recorded as l on l.tenant_id = s.tenant_id
  where s.is_held
  union all
  select u.tenant_id, u.user_id, u.sku_id, d.day_number, coalesce(max(u.assigned_by), '') as assigned_by
  from {{ ref('stg_user_licenses') }} as u
  join {{ ref('int_snapshot_days') }} as d on d.tenant_id = u.tenant_id and d.snapshot_date = u.snapshot_date
  where u.holds_seat and not d.is_recorded
  group by 1, 2, 3, 4
),

got as (
  select n.tenant_id, d.snapshot_date, n.user_id, n.sku_id, n.assigned_by
  from days as n
  join {{ ref('int_snapshot_days') }} as d on d.tenant_id = n.tenant_id and d.day_number = n.day_number
  left join days as b
    on b.tenant_id = n.tenant_id and b.user_id = n.user_id and b.sku_id = n.sku_id and b.day_number = n.day_number - 1
  where not d.is_recorded and (b.user_id is null or b.assigned_by <> n.assigned_by)
),

lost as (
  select b.tenant_id, d.snapshot_date, b.user_id, b.sku_id
  from days as b
  join {{ ref('int_snapshot_days') }} as d on d.tenant_id = b.tenant_id and d.day_number = b.day_number + 1
  left join days as n
    on n.tenant_id = b.tenant_id and n.user_id = b.user_id and n.sku_id = b.sku_id and n.day_number = b.day_number + 1
  where n.user_id is null
)

select tenant_id, snapshot_date, user_id, sku_id, is_held, assigned_by, true as is_recorded
from recorded
union all
select tenant_id, snapshot_date, user_id, sku_id, true, nullif(assigned_by, ''), false
from got
union all
select tenant_id, snapshot_date, user_id, sku_id, false, cast(null as varchar), false
from lost
