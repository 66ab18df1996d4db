-- Grain: one row per tenant and source; every source is there, also one that no run ever asked for.
with tenants as (
  select
    tenant_id,
    max(tenant_name) as tenant_name,
    max(snapshot_date) as newest_run_date
  from {{ ref('stg_table_coverage') }}
  group by 1
),

expected as (
  select t.tenant_id, s.table_name
  from tenants as t
  cross join {{ ref('coverage_sources') }} as s
  union
  select tenant_id, table_name
  from {{ ref('stg_table_coverage') }}
),

-- What a source's observation reaches: a report says so itself, all else was observed when it was captured.
recorded as (
  select
    e.tenant_id,
    t.tenant_name,
    t.newest_run_date,
    e.table_name,
    s.kind,
    coalesce(s.is_optional, false) as is_optional,
    coalesce(c.state, 'missing') as recorded_state,
    case
      when c.table_name is null then 'no run has asked for this source'
      else c.reason
    end as reason,
    c.observed_at,
    case
      when s.kind = 'report' then coalesce(c.observed_through, c.logical_date)
      else coalesce(cast(c.observed_at as date), c.observed_through)
    end as observed_through,
    c.logical_date,
    c.row_count,
    c.run_id,
    c.snapshot_date
  from expected as e
  join tenants as t on t.tenant_id = e.tenant_id
  left join {{ ref('stg_table_coverage') }} as c on c.tenant_id = e.tenant_id and c.table_name = e.table_name
  left join {{ ref('coverage_sources') }} as s on s.table_name = e.table_name
),

judged as (
  select
    r.*,
    case
      when recorded_state not in ('complete', 'partial') then 'as_recorded'
      when kind in ('directory', 'report') and logical_date is null then 'no_rows'
      when kind is not null and observed_through is null then 'no_time'
      when kind in ('report', 'sign_ins') and date_diff('day', observed_through, newest_run_date) > {{ var('stale_after_days') }} then 'late'
      else 'as_recorded'
    end as fault
  from recorded as r
)

select
  tenant_id,
  tenant_name,
  newest_run_date,
  table_name,
  kind,
  is_optional,
  recorded_state,
  case fault
    when 'no_rows' then 'missing'
    when 'no_time' then 'missing'
    when 'late' then 'stale'
    else recorded_state
  end as state,
  case fault
    when 'no_rows' then 'the newest run wrote no rows of this source'
    when 'no_time' then 'the newest run did not record when this source was observed'
    when 'late' then 'activity was observed up to ' || cast(observed_through as varchar) || ' only, more than {{ var('stale_after_days') }} days before the newest run'
    else reason
  end as reason,
  fault = 'as_recorded' and recorded_state in ('complete', 'partial') as is_measured,
  observed_at,
  observed_through,
  logical_date,
  row_count,
  run_id,
  snapshot_date
from judged
