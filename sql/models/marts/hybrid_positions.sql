-- Grain: one row per tenant and product family that the tenant has a licence, an activation or an installation of.
with units as (
  select
    tenant_id,
    product_family,
    count(*) as skus,
    sum(entitled_units) as entitled_units,
    sum(consumed_units) as consumed_units
  from {{ ref('hybrid_position_licenses') }}
  group by 1, 2
),

others as (
  select
    p.tenant_id,
    p.product_family,
    count_if(p.entitlement = 'desktop' and not k.is_managed) as unmanaged_skus,
    count_if(p.entitlement = 'device' and coalesce(k.enabled_units + k.warning_units, 1) > 0) as device_skus
  from {{ ref('int_product_skus') }} as p
  join {{ ref('int_skus') }} as k on k.tenant_id = p.tenant_id and k.sku_id = p.sku_id
  where p.entitlement in ('desktop', 'device')
  group by 1, 2
),

devices as (
  select
    tenant_id,
    product_family,
    count(distinct device_key) as installed
  from {{ ref('int_product_installs') }}
  group by 1, 2
),

subjects as (
  select
    e.tenant_id,
    e.product_family,
    count_if(e.is_assigned) as assigned,
    count_if(e.is_activated) as activated,
    count_if(e.subject = 'user' and e.is_installed) as installed_users,
    count_if(e.is_assigned and e.is_installed) as matched,
    count_if(r.needs_license) as unlicensed_users,
    count_if(e.reason in ('ambiguous_user', 'unresolved_user')) as unresolved_devices
  from {{ ref('hybrid_exceptions') }} as e
  join {{ ref('hybrid_reasons') }} as r on r.reason = e.reason
  group by 1, 2
),

families as (
  select tenant_id, product_family from units
  union
  select tenant_id, product_family from others
  union
  select tenant_id, product_family from subjects
),

counted as (
  select
    f.tenant_id,
    t.as_of_date,
    f.product_family,
    p.product_family is not null and (coalesce(n.skus, 0) > 0 or coalesce(o.unmanaged_skus, 0) = 0) as is_tracked,
    t.has_users and t.has_licenses and t.has_units as has_licenses,
    t.has_inventory,
    t.has_activations,
    coalesce(o.device_skus, 0) as device_skus,
    case when p.product_family is not null and t.has_units then coalesce(n.entitled_units, 0) end as entitled,
    case when p.product_family is not null and t.has_users and t.has_licenses then coalesce(s.assigned, 0) end as assigned,
    case when p.product_family is not null and t.has_users and t.has_activations then coalesce(s.activated, 0) end as activated,
    case when t.has_inventory then coalesce(d.installed, 0) end as installed,
    case when t.has_users and t.has_inventory then coalesce(s.installed_users, 0) end as installed_users,
    case
      when p.product_family is not null and t.has_users and t.has_licenses and t.has_inventory then coalesce(s.matched, 0)
    end as matched,
    case when p.product_family is not null and t.has_users and t.has_licenses then coalesce(s.unlicensed_users, 0) end as unlicensed_users,
    case when t.has_users and t.has_inventory then coalesce(s.unresolved_devices, 0) end as unresolved_devices,
    case
      when t.has_users and t.has_licenses and t.has_units then coalesce(n.consumed_units, 0) + coalesce(s.unlicensed_users, 0)
    end as consumed
  from families as f
  join {{ ref('int_hybrid_tenants') }} as t on t.tenant_id = f.tenant_id
  left join {{ ref('product_families') }} as p on p.product_family = f.product_family
  left join units as n on n.tenant_id = f.tenant_id and n.product_family = f.product_family
  left join others as o on o.tenant_id = f.tenant_id and o.product_family = f.product_family
  left join devices as d on d.tenant_id = f.tenant_id and d.product_family = f.product_family
  left join subjects as s on s.tenant_id = f.tenant_id and s.product_family = f.product_family
),

-- What is not known can only make a position worse, so that a shortage that is known stands.
judged as (
  select
    c.*,
    case
      when not is_tracked then 'no managed licence entitles the product'
      when not has_licenses then 'users, their licences or the SKUs could not be read'
      when consumed > entitled and device_skus > 0 then 'device licences, which are assigned to no user, may cover what is missing'
      when consumed > entitled then null
      when not has_inventory then 'no inventory of installed software was read'
      when not has_activations then 'the activation report is missing, stale or hides names'
      when consumed + unresolved_devices > entitled then 'installations whose user is not known may lack a licence'
    end as doubt
  from counted as c
)

select
  tenant_id,
  as_of_date,
  product_family,
  cast(entitled as integer) as entitled,
  cast(assigned as integer) as assigned,
  cast(activated as integer) as activated,
  cast(installed as integer) as installed,
  cast(installed_users as integer) as installed_users,
  cast(matched as integer) as matched,
  cast(unlicensed_users as integer) as unlicensed_users,
  cast(unresolved_devices as integer) as unresolved_devices,
  case when is_tracked then cast(consumed as integer) end as consumed,
  case when is_tracked then cast(entitled as integer) end as entitlements,
  case
    when not is_tracked or doubt is not null then cast(null as integer)
    else cast(greatest(consumed - entitled, 0) as integer)
  end as at_risk,
  case when is_tracked then cast(entitled - consumed as integer) end as availability,
  case
    when not is_tracked then 'Not tracked'
    when doubt is not null then 'Unknown'
    when consumed > entitled then 'At risk'
    else 'Compliant'
  end as compliance_status,
  doubt as status_reason
from judged
