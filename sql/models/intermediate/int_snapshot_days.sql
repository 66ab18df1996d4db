-- Grain: one row per tenant and day of which the tenant's users are known, up to the newest run.
-- A day that is recorded is told by the history, the days behind the last recorded one and the newest by their own snapshots.
with newest as (
  select tenant_id, max(newest_run_date) as newest_run_date
  from {{ ref('int_coverage') }}
  group by 1
),

recorded as (
  select h.tenant_id, h.snapshot_date
  from {{ ref('stg_history_days') }} as h
  join newest as n on n.tenant_id = h.tenant_id
  where h.snapshot_date < n.newest_run_date
),

recorded_to as (
  select tenant_id, max(snapshot_date) as recorded_date
  from recorded
  group by 1
),

stored as (
  select distinct tenant_id, snapshot_date
  from {{ ref('stg_users') }}
),

known as (
  select tenant_id, snapshot_date, true as is_recorded
  from recorded
  union all
  select s.tenant_id, s.snapshot_date, false as is_recorded
  from stored as s
  left join recorded_to as t on t.tenant_id = s.tenant_id
  where t.recorded_date is null or s.snapshot_date > t.recorded_date
)

select
  k.tenant_id,
  k.snapshot_date,
  k.is_recorded,
  lag(k.snapshot_date) over (partition by k.tenant_id order by k.snapshot_date) as previous_date,
  row_number() over (partition by k.tenant_id order by k.snapshot_date) as day_number
from known as k
join newest as n on n.tenant_id = k.tenant_id
where k.snapshot_date <= n.newest_run_date
