-- Grain: one row per tenant and unmanaged SKU that is subscribed or assigned: what is left out of every other mart.
with tenants as (
  select
    tenant_id,
    bool_or(table_name = 'graph_subscribed_skus' and is_measured) as has_units,
    bool_or(table_name = 'graph_user_licenses' and is_measured) as has_assignments
  from {{ ref('int_coverage') }}
  group by 1
),

assigned as (
  select tenant_id, sku_id, count(distinct user_id) as assigned_users
  from {{ ref('int_user_licenses') }}
  where holds_seat
  group by 1, 2
)

select
  k.tenant_id,
  k.sku_id,
  k.sku_part_number,
  k.product_name,
  k.license_class,
  k.unmanaged_reason as reason,
  case when t.has_units then cast(coalesce(k.enabled_units + k.warning_units, 0) as integer) end as entitled_units,
  case when t.has_units then cast(coalesce(k.consumed_units, 0) as integer) end as consumed_units,
  case when t.has_assignments then cast(coalesce(a.assigned_users, 0) as integer) end as assigned_users
from {{ ref('int_skus') }} as k
join tenants as t on t.tenant_id = k.tenant_id
left join assigned as a on a.tenant_id = k.tenant_id and a.sku_id = k.sku_id
where not k.is_managed
