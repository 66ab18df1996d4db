-- Grain: one row per tenant, SKU and service plan: SKUs of the tenant, and those that rules or prices name.
-- A tenant is told of its own SKUs' plans; those of others, and of SKUs it was told nothing of, are the catalogue's.
with tenants as (
  select distinct tenant_id from {{ ref('int_coverage') }}
),

named as (
  select sku_id from {{ ref('list_prices') }}
  union
  select from_sku_id from {{ ref('downgrade_rules') }}
  union
  select to_sku_id from {{ ref('downgrade_rules') }}
),

wanted as (
  select tenant_id, sku_id from {{ ref('int_skus') }}
  union
  select t.tenant_id, n.sku_id
  from tenants as t
  cross join named as n
),

catalog_names as (
  select service_plan_id, min(service_plan_name) as service_plan_name
  from {{ ref('stg_catalog_plans') }}
  group by 1
),

told as (
  select
    p.tenant_id,
    p.sku_id,
    p.service_plan_id,
    coalesce(n.service_plan_name, p.service_plan_name, p.service_plan_id) as service_plan_name,
    -- All plans of a SKU that ran out are Disabled; what it would give says the list all the same.
    coalesce(p.provisioning_status, '') <> 'Disabled' or coalesce(k.capability_status, '') not in ('Enabled', 'Warning') as is_provisioned
  from {{ ref('stg_service_plans') }} as p
  join {{ ref('int_coverage') }} as c on c.tenant_id = p.tenant_id and c.logical_date = p.snapshot_date
  join {{ ref('int_skus') }} as k on k.tenant_id = p.tenant_id and k.sku_id = p.sku_id
  left join catalog_names as n on n.service_plan_id = p.service_plan_id
  where c.table_name = 'graph_service_plans' and c.is_measured
),

told_skus as (
  select distinct tenant_id, sku_id from told
),

known as (
  select tenant_id, sku_id, service_plan_id, service_plan_name, is_provisioned from told
  union all
  select w.tenant_id, w.sku_id, p.service_plan_id, p.service_plan_name, true
  from wanted as w
  join {{ ref('stg_catalog_plans') }} as p on p.sku_id = w.sku_id
  left join told_skus as t on t.tenant_id = w.tenant_id and t.sku_id = w.sku_id
  where t.sku_id is null
),

patterns as (
  select
    rule,
    needs_confirmation,
    replace(replace(replace(replace(lower(pattern), '!', '!!'), '_', '!_'), '%', '!%'), '*', '%') as like_pattern
  from {{ ref('immaterial_plans') }}
),

plan_names as (
  select distinct service_plan_name, lower(service_plan_name) as plan_key from known
),

immaterial as (
  select n.service_plan_name, min(p.rule) as rule, bool_or(p.needs_confirmation) as needs_confirmation
  from plan_names as n
  cross join patterns as p
  where n.plan_key like p.like_pattern escape '!'
  group by 1
)

select
  k.tenant_id,
  k.sku_id,
  k.service_plan_id,
  k.service_plan_name,
  lower(k.service_plan_name) as plan_key,
  k.is_provisioned,
  i.rule as immaterial_rule,
  coalesce(i.needs_confirmation, false) as needs_confirmation
from known as k
left join immaterial as i on i.service_plan_name = k.service_plan_name
