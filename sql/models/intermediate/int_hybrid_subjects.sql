-- Grain: one row per tenant, product family and subject: a user who may use the desktop product, has activated it or has it
-- installed; or a device with the product and no user. What was not measured is null.
-- A device is one row of int_product_installs for each of its subjects.
with installed as (
  select
    tenant_id,
    product_family,
    subject,
    subject_id,
    count_if(counts_devices) as own_devices,
    count_if(not counts_devices) as shared_devices,
    array_join(array_agg(distinct coalesce(device_name, device_key) order by coalesce(device_name, device_key)), ', ') as device_names,
    min_by(identity_rule, identity_confidence) as identity_rule,
    min(identity_confidence) as identity_confidence,
    min_by(identity_level, identity_confidence) as identity_level,
    bool_or(has_ambiguous) as has_ambiguous,
    min(user_name) as inventory_user,
    max(last_used_date) as last_used_date,
    max(last_seen_date) as last_seen_date
  from {{ ref('int_product_installs') }}
  group by 1, 2, 3, 4
),

people as (
  select tenant_id, product_family, user_id from {{ ref('int_user_products') }} where license_right = 'desktop'
  union
  select tenant_id, product_family, user_id from {{ ref('int_user_product_activations') }} where desktop_activations > 0
  union
  select tenant_id, product_family, subject_id from installed where subject = 'user'
)

select
  p.tenant_id,
  p.product_family,
  'user' as subject,
  p.user_id as subject_id,
  case when t.has_licenses then coalesce(l.license_right, 'none') end as license_right,
  l.license_names,
  case
    when a.desktop_activations > 0 then a.desktop_activations
    when t.has_activations then coalesce(a.desktop_activations, 0)
  end as desktop_activations,
  coalesce(a.is_shared_computer, false) as is_shared_activation,
  a.last_activated_date,
  case when t.has_inventory then coalesce(i.own_devices, 0) end as own_devices,
  case when t.has_inventory then coalesce(i.shared_devices, 0) end as shared_devices,
  i.device_names,
  i.identity_rule,
  i.identity_confidence,
  i.identity_level,
  false as has_ambiguous,
  i.inventory_user,
  i.last_used_date,
  i.last_seen_date
from people as p
join {{ ref('int_hybrid_tenants') }} as t on t.tenant_id = p.tenant_id
left join {{ ref('int_user_products') }} as l
  on l.tenant_id = p.tenant_id and l.product_family = p.product_family and l.user_id = p.user_id
left join {{ ref('int_user_product_activations') }} as a
  on a.tenant_id = p.tenant_id and a.product_family = p.product_family and a.user_id = p.user_id
left join installed as i
  on i.tenant_id = p.tenant_id and i.product_family = p.product_family and i.subject = 'user' and i.subject_id = p.user_id
union all
select
  i.tenant_id,
  i.product_family,
  'device',
  i.subject_id,
  cast(null as varchar),
  cast(null as varchar),
  cast(null as bigint),
  false,
  cast(null as date),
  i.own_devices,
  i.shared_devices,
  i.device_names,
  cast(null as varchar),
  cast(null as decimal(3, 2)),
  cast(null as varchar),
  i.has_ambiguous,
  i.inventory_user,
  i.last_used_date,
  i.last_seen_date
from installed as i
where i.subject = 'device'
