-- Grain: one row per tenant, rule, SKU and currency: what is worth a look, with the query that lists its rows.
-- Findings overlap (a disabled account may be idle too), so their sums mean nothing.
with found as (
  select 'idle_licenses' as rule, 'saving' as kind, tenant_id, sku_id, inactive_users + never_active_users as units
  from {{ ref('license_positions') }}
  union all
  select 'unassigned_units', 'saving', tenant_id, sku_id, available_units
  from {{ ref('license_positions') }}
  union all
  select 'disabled_holders', 'saving', tenant_id, sku_id, disabled_users
  from {{ ref('license_positions') }}
  union all
  select 'guest_holders', 'saving', tenant_id, sku_id, guest_users
  from {{ ref('license_positions') }}
  union all
  select 'over_assigned', 'exposure', tenant_id, sku_id, -available_units
  from {{ ref('license_positions') }}
  union all
  select 'units_in_grace', 'exposure', tenant_id, sku_id, warning_units
  from {{ ref('license_positions') }}
),

-- What n units of a SKU cost a year.
priced as (
  select
    f.rule,
    f.kind,
    f.tenant_id,
    f.sku_id,
    f.units,
    p.product_name,
    p.assigned_users,
    p.inactive_users,
    p.never_active_users,
    c.currency,
    c.price_basis,
    case
      when c.rest_cents = 0 then f.units * c.unit_cents
      else f.units * c.unit_cents + cast(round((2 * f.units * c.rest_cents + c.purchased_units
        - (2 * f.units * c.rest_cents + c.purchased_units) % (2 * c.purchased_units)) / (2 * c.purchased_units)) as bigint)
    end as cents
  from found as f
  join {{ ref('license_positions') }} as p on p.tenant_id = f.tenant_id and p.sku_id = f.sku_id
  join {{ ref('int_license_costs') }} as c on c.tenant_id = f.tenant_id and c.sku_id = f.sku_id
  where f.units > 0 and p.applies_to = 'User'
),

said as (
  select
    rule,
    kind,
    tenant_id,
    sku_id,
    product_name,
    units,
    cents,
    currency,
    price_basis = 'list_price' as is_estimate,
    product_name || ': ' || case rule
      when 'idle_licenses' then cast(units as varchar) || ' of ' || cast(assigned_users as varchar) || ' holders are idle ('
        || cast(inactive_users as varchar) || ' inactive, ' || cast(never_active_users as varchar) || ' never active)'
      when 'unassigned_units' then cast(units as varchar) || ' units are bought and assigned to nobody'
      when 'disabled_holders' then cast(units as varchar) || ' units sit on disabled accounts'
      when 'guest_holders' then cast(units as varchar) || ' units are held by guests'
      when 'over_assigned' then cast(units as varchar) || ' units more are assigned than bought'
      else cast(units as varchar) || ' units have expired and are in their grace period'
    end as finding,
    'select * from ' || case when rule in ('idle_licenses', 'disabled_holders', 'guest_holders') then 'license_assignments' else 'license_positions' end
      || ' where tenant_id = ''' || tenant_id || ''' and sku_id = ''' || sku_id || '''' || case rule
        when 'idle_licenses' then ' and activity_status in (''inactive'', ''never_active'')'
        when 'disabled_holders' then ' and not account_enabled'
        when 'guest_holders' then ' and is_guest'
        else ''
      end as query
  from priced
  union all
  select
    'term_without_sku',
    'exposure',
    tenant_id,
    cast(null as varchar),
    product_name,
    quantity,
    annual_cents,
    currency,
    false,
    product_name || ': ' || cast(quantity as varchar) || ' units are paid for by line ' || cast(line as varchar)
      || ' of the licence terms, and the tenant has no such SKU',
    'select * from license_costs where tenant_id = ''' || tenant_id || ''' and line = ' || cast(line as varchar)
  from {{ ref('int_license_terms') }}
  where term_status = 'in_force' and sku_id is null
  union all
  select
    'no_current_term',
    'exposure',
    c.tenant_id,
    c.sku_id,
    p.product_name,
    p.entitled_units,
    cast(null as bigint),
    cast(null as varchar),
    false,
    p.product_name || ': none of its licence terms is in force, so what its ' || cast(p.entitled_units as varchar) || ' units cost is not known',
    'select * from license_costs where tenant_id = ''' || c.tenant_id || ''' and sku_id = ''' || c.sku_id || ''''
  from {{ ref('int_license_costs') }} as c
  join {{ ref('license_positions') }} as p on p.tenant_id = c.tenant_id and p.sku_id = c.sku_id
  where c.price_basis = 'no_current_term' and p.entitled_units > 0
)

select
  s.tenant_id,
  cast(row_number() over (
    partition by s.tenant_id
    order by case when s.cents is null then 1 else 0 end, s.cents desc, s.units desc, s.finding, s.currency
  ) as integer) as rank,
  s.rule,
  s.kind,
  s.sku_id,
  s.product_name,
  cast(s.units as integer) as units,
  cast(cast(s.cents as decimal(18, 0)) * 0.01 as decimal(18, 2)) as annual_amount,
  s.currency,
  s.is_estimate,
  s.finding,
  s.query
from said as s
