-- Grain: one row per tenant, day of a run whose marts were built, managed SKU, and service it entitles; the service Sign-in for a
-- licence that is judged by sign-ins.
with newest as (
  select tenant_id, max(newest_run_date) as activity_date
  from {{ ref('int_coverage') }}
  group by 1
),

counted as (
  select
    a.tenant_id,
    n.activity_date,
    a.sku_id,
    coalesce(a.service, 'Sign-in') as service,
    cast(count(*) as integer) as entitled_users,
    cast(count_if(a.activity_status = 'active') as integer) as active_users,
    cast(count_if(a.activity_status = 'inactive') as integer) as inactive_users,
    cast(count_if(a.activity_status = 'never_active') as integer) as never_active_users,
    cast(count_if(a.activity_status = 'too_new') as integer) as too_new_users,
    cast(count_if(a.activity_status = 'not_measurable') as integer) as not_measurable_users
  from {{ ref('int_license_activity') }} as a
  join newest as n on n.tenant_id = a.tenant_id
  group by 1, 2, 3, 4
),

days as (
  select * from counted
  union all
  select
    h.tenant_id,
    h.snapshot_date as activity_date,
    h.sku_id,
    h.service,
    h.entitled_users,
    h.active_users,
    h.inactive_users,
    h.never_active_users,
    h.too_new_users,
    h.not_measurable_users
  from {{ ref('stg_history_license_activity') }} as h
  join newest as n on n.tenant_id = h.tenant_id
  where h.snapshot_date < n.activity_date
)

select
  d.tenant_id,
  d.activity_date,
  d.sku_id,
  k.sku_part_number,
  k.product_name,
  d.service,
  d.entitled_users,
  d.active_users,
  d.inactive_users,
  d.never_active_users,
  d.too_new_users,
  d.not_measurable_users,
  lag(d.activity_date) over (partition by d.tenant_id, d.sku_id, d.service order by d.activity_date) as previous_date,
  d.active_users - lag(d.active_users) over (partition by d.tenant_id, d.sku_id, d.service order by d.activity_date) as active_users_change
from days as d
join {{ ref('int_sku_names') }} as k on k.tenant_id = d.tenant_id and k.sku_id = d.sku_id
