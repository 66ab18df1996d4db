-- Grain: one row per tenant, product family and subject: a user who may use, has activated or has installed the desktop
-- product, or a device with the product and no user. Each is under exactly one reason.
with reasons as (
  select *, case when subject = 'user' then subject_id end as user_id
  from {{ ref('int_hybrid_reasons') }}
)

select
  r.tenant_id,
  t.as_of_date,
  r.product_family,
  r.subject,
  r.subject_id,
  r.reason,
  r.user_id,
  u.user_principal_name,
  case when r.is_tracked then r.license_right end as license_right,
  r.license_names,
  case when r.is_tracked then r.license_right = 'desktop' end as is_assigned,
  case when r.is_tracked then r.is_activated end as is_activated,
  case when r.is_tracked then r.desktop_activations end as desktop_activations,
  r.last_activated_date,
  r.is_installed,
  cast(r.own_devices as integer) as own_devices,
  cast(r.shared_devices as integer) as shared_devices,
  r.device_names,
  r.inventory_user,
  r.identity_rule,
  r.identity_confidence,
  r.identity_level,
  r.last_used_date,
  r.last_seen_date
from reasons as r
join {{ ref('int_hybrid_tenants') }} as t on t.tenant_id = r.tenant_id
left join {{ ref('int_users') }} as u on u.tenant_id = r.tenant_id and u.user_id = r.user_id
