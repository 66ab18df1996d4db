-- Grain: one row per tenant and managed SKU that is subscribed or held by somebody.
with tenants as (
  select
    tenant_id,
    max(newest_run_date) as newest_run_date,
    bool_or(table_name = 'graph_subscribed_skus' and is_measured) as has_units,
    bool_or(table_name = 'graph_user_licenses' and is_measured) as has_assignments
  from {{ ref('int_coverage') }}
  group by 1
),

assigned as (
  select
    tenant_id,
    sku_id,
    count(*) as assigned_users,
    count_if(activity_status = 'active') as active_users,
    count_if(activity_status = 'inactive') as inactive_users,
    count_if(activity_status = 'never_active') as never_active_users,
    count_if(activity_status = 'too_new') as too_new_users,
    count_if(activity_status = 'not_measurable') as not_measurable_users,
    count_if(not account_enabled) as disabled_users,
    count_if(is_guest) as guest_users
  from {{ ref('license_assignments') }}
  group by 1, 2
),

-- Zero where the source was read and has no such row, null where it could not be read.
counted as (
  select
    k.tenant_id,
    coalesce(k.snapshot_date, t.newest_run_date) as as_of_date,
    k.sku_id,
    k.sku_part_number,
    k.product_name,
    k.license_class,
    k.applies_to,
    k.capability_status,
    case when t.has_units then coalesce(k.enabled_units, 0) end as enabled_units,
    case when t.has_units then coalesce(k.warning_units, 0) end as warning_units,
    case when t.has_units then coalesce(k.suspended_units, 0) end as suspended_units,
    case when t.has_units then coalesce(k.locked_out_units, 0) end as locked_out_units,
    case when t.has_units then coalesce(k.consumed_units, 0) end as consumed_units,
    case when t.has_assignments then coalesce(a.assigned_users, 0) end as assigned_users,
    case when t.has_assignments then coalesce(a.active_users, 0) end as active_users,
    case when t.has_assignments then coalesce(a.inactive_users, 0) end as inactive_users,
    case when t.has_assignments then coalesce(a.never_active_users, 0) end as never_active_users,
    case when t.has_assignments then coalesce(a.too_new_users, 0) end as too_new_users,
    case when t.has_assignments then coalesce(a.not_measurable_users, 0) end as not_measurable_users,
    case when t.has_assignments then coalesce(a.disabled_users, 0) end as disabled_users,
    case when t.has_assignments then coalesce(a.guest_users, 0) end as guest_users
  from {{ ref('int_skus') }} as k
  join tenants as t on t.tenant_id = k.tenant_id
  left join assigned as a on a.tenant_id = k.tenant_id and a.sku_id = k.sku_id
  where k.is_managed and (k.is_subscribed or a.assigned_users is not null)
)

select
  tenant_id,
  as_of_date,
  sku_id,
  sku_part_number,
  product_name,
  license_class,
  applies_to,
  capability_status,
  cast(enabled_units as integer) as enabled_units,
  cast(warning_units as integer) as warning_units,
  cast(suspended_units as integer) as suspended_units,
  cast(locked_out_units as integer) as locked_out_units,
  cast(enabled_units + warning_units as integer) as entitled_units,
  cast(consumed_units as integer) as consumed_units,
  cast(enabled_units + warning_units - consumed_units as integer) as available_units,
  cast(assigned_users as integer) as assigned_users,
  cast(active_users as integer) as active_users,
  cast(inactive_users as integer) as inactive_users,
  cast(never_active_users as integer) as never_active_users,
  cast(too_new_users as integer) as too_new_users,
  cast(not_measurable_users as integer) as not_measurable_users,
  cast(disabled_users as integer) as disabled_users,
  cast(guest_users as integer) as guest_users,
  cast(consumed_units - assigned_users as integer) as unreconciled_units
from counted
